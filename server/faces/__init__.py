"""The published APIs. Each declares its methods and turns rows into its structs; none imports another."""
