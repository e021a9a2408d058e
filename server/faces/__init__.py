"""The published APIs. Each face declares its methods and turns rows into its structs; none imports another."""
