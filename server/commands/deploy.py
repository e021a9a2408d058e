"""Commands that hand out what is delivered for those who run it, and what a shell needs to complete words."""

from importlib import resources

import click
from click.shell_completion import get_completion_class

from .grouped import examples, heads

# Each example by the name under which it is asked for: its file, and what it is.
EXAMPLES = {
    "systemd": ("switchboard.service", "a unit for systemd"),
    "docker": ("Dockerfile", "a container, made of a checkout"),
    "compose": ("compose.yaml", "one container with its embedded store"),
    "compose-postgresql": ("compose.postgresql.yaml", "two containers on PostgreSQL, behind Caddy"),
    "caddy": ("Caddyfile", "Caddy in front, which gets its certificates by itself"),
    "nginx": ("nginx.conf", "nginx in front"),
    "haproxy": ("haproxy.cfg", "HAProxy in front"),
    "pgbouncer": ("pgbouncer.ini", "a pooler between many processes and PostgreSQL"),
    "growing": ("GROWING.md", "what comes after one PostgreSQL"),
}
SHELLS = ("bash", "zsh", "fish")


class Example(click.Choice[str]):
    """The name of an example; who gives none is told where they stand."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return "switchboard deploy list tells the names"


@click.group()
def deploy() -> None:
    """Examples of what stands around a server, to be adapted: systemd, Docker, proxies."""


@deploy.command(name="list", epilog=examples("switchboard deploy list"))
def deploy_list() -> None:
    """List the examples: name, file, what it is."""
    heads("name", "file", "what it is")
    for name, (file, meaning) in EXAMPLES.items():
        click.echo(f"{name}\t{file}\t{meaning}")


@deploy.command(
    name="show",
    epilog=examples("switchboard deploy show systemd > /etc/systemd/system/switchboard.service"),
)
@click.argument("name", metavar="NAME", type=Example(list(EXAMPLES)))
def deploy_show(name: str) -> None:
    """Write the example NAME to standard output; it says itself how it is used.

    "switchboard deploy list" tells the names.
    """
    file, _ = EXAMPLES[name]
    click.echo(resources.files("server").joinpath("deploy", file).read_bytes(), nl=False)


@click.command(
    epilog=examples(
        "source <(switchboard completion bash)    # in ~/.bashrc",
        "source <(switchboard completion zsh)     # in ~/.zshrc, behind compinit",
        "switchboard completion fish | source     # in ~/.config/fish/config.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Write the script with which SHELL completes commands and options."""
    root = context.find_root()
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(root.command, {}, "switchboard", "_SWITCHBOARD_COMPLETE").source())
