"""`ocpp-gateway completion`: scripts for shells, made from the commands. Names of chargers and CSMSs are asked of the gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

KINDS = {
    "CHARGER": "chargers",
    "[CHARGER]": "chargers",
    "NAME": "upstreams",
    "UPSTREAM": "upstreams",
    "[PROCESS]": "processes",
}
"""Metavar of an argument or option -> kind of its names."""


class Shell(StrEnum):
    """For which there are scripts."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print the completion script of a shell. It asks the gateway at OCPPGW_SERVER for names of chargers and CSMSs.

    bash: source <(ocpp-gateway completion bash);  zsh: the same;  fish: ocpp-gateway completion fish | source
    """
    commands = _commands()
    typer.echo({Shell.bash: _bash, Shell.zsh: _zsh, Shell.fish: _fish}[shell](commands), nl=False)


def _commands() -> dict[str, tuple[list[str], list[str], dict[str, str], str]]:
    """Command path -> (subcommands, options, option -> kind of names or choices, kind of names of the first argument)."""
    from typer.core import TyperOption
    from typer.main import get_command

    from gateway.cli.commands import app

    found: dict[str, tuple[list[str], list[str], dict[str, str], str]] = {}

    def walk(command: Any, path: str) -> None:
        children = {} if not hasattr(command, "commands") else command.commands
        options: list[str] = []
        values: dict[str, str] = {}
        kind = ""
        for each in command.params:
            choices = [str(getattr(one, "value", one)) for one in getattr(each.type_descriptor, "choices", None) or ()]
            names = KINDS.get(each.metavar or "", "")
            if isinstance(each, TyperOption):
                longs = [name for name in (*each.opts, *each.secondary_opts) if name.startswith("--")]
                options += longs
                for name in longs:
                    if choices or names:
                        values[name] = f"@{names}" if names else " ".join(choices)
            elif not kind:
                kind = f"@{names}" if names else " ".join(choices)
        found[path] = (sorted(children), sorted([*options, "--help"]), values, kind)
        for name, child in children.items():
            walk(child, f"{path} {name}".strip())

    walk(get_command(app), "")
    return found


def _cases(commands: dict[str, tuple[list[str], list[str], dict[str, str], str]]) -> str:
    """Shell cases that set `offers` (what may come; zsh has a `words` of its own) and `kind` (of names to ask for)."""
    lines = []
    for path, (children, options, values, kind) in sorted(commands.items()):
        lines.append(f'    "{path}")')
        for name, choices in sorted(values.items()):
            told = f"kind={choices[1:]}" if choices.startswith("@") else f'offers="{choices}"'
            lines.append(f'      if [ "$previous" = "{name}" ]; then {told}; return; fi')
        words = " ".join([*children, *options])
        lines.append(f'      offers="{words}"')
        if kind.startswith("@"):
            lines.append(f"      kind={kind[1:]}")
        elif kind:
            lines.append(f'      offers="$offers {kind}"')
        lines.append("      ;;")
    return "\n".join(lines)


def _common(commands: dict[str, tuple[list[str], list[str], dict[str, str], str]]) -> str:
    paths = " ".join(f'"{path}"' for path in sorted(commands) if path)
    return f"""_ocpp_gateway_know() {{
  offers="" kind=""
  case "$1" in
{_cases(commands)}
  esac
}}
_ocpp_gateway_is_command() {{
  local each
  for each in {paths}; do
    [ "$each" = "$1" ] && return 0
  done
  return 1
}}
"""


def _bash(commands: dict[str, tuple[list[str], list[str], dict[str, str], str]]) -> str:
    return f"""# Completion of ocpp-gateway for bash. Made by `ocpp-gateway completion bash`.
{_common(commands)}_ocpp_gateway() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" path="" offers kind index next
  for ((index = 1; index < COMP_CWORD; index++)); do
    next="${{path:+$path }}${{COMP_WORDS[index]}}"
    _ocpp_gateway_is_command "$next" && path="$next"
  done
  _ocpp_gateway_know "$path"
  if [ -n "$kind" ] && [ "${{current:0:1}}" != "-" ]; then
    mapfile -t COMPREPLY < <(ocpp-gateway __names "$kind" "$current" 2>/dev/null)
  else
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$current")
  fi
}}
complete -o default -F _ocpp_gateway ocpp-gateway
"""


def _zsh(commands: dict[str, tuple[list[str], list[str], dict[str, str], str]]) -> str:
    return f"""#compdef ocpp-gateway
# Completion of ocpp-gateway for zsh. Made by `ocpp-gateway completion zsh`.
{_common(commands)}_ocpp_gateway_complete() {{
  local current="${{words[CURRENT]}}" previous="${{words[CURRENT-1]}}" line_path="" next index
  local -a line found
  line=("${{words[@]}}")
  local offers kind
  for ((index = 2; index < CURRENT; index++)); do
    next="${{line_path:+$line_path }}${{line[index]}}"
    _ocpp_gateway_is_command "$next" && line_path="$next"
  done
  _ocpp_gateway_know "$line_path"
  if [ -n "$kind" ] && [ "${{current[1]}}" != "-" ]; then
    found=("${{(@f)$(ocpp-gateway __names "$kind" "$current" 2>/dev/null)}}")
  else
    found=(${{=offers}})
  fi
  compadd -- "${{found[@]}}"
}}
compdef _ocpp_gateway_complete ocpp-gateway
"""


def _fish(commands: dict[str, tuple[list[str], list[str], dict[str, str], str]]) -> str:
    lines = [
        "# Completion of ocpp-gateway for fish. Made by `ocpp-gateway completion fish`.",
        "function __ocpp_gateway_at",
        "  set -l words (commandline -opc)[2..-1]",
        "  set -l bare (string match -v -- '-*' $words)",
        "  set -l count (count $argv)",
        '  test (count $bare) -ge $count; and test "$bare[1..$count]" = "$argv"',
        "end",
        "function __ocpp_gateway_just",
        "  set -l words (commandline -opc)[2..-1]",
        "  set -l bare (string match -v -- '-*' $words)",
        '  test "$bare" = "$argv"',
        "end",
        "complete -c ocpp-gateway -f",
    ]
    for path, (children, options, values, kind) in sorted(commands.items()):
        at = (
            f"-n '__ocpp_gateway_at {path}'"
            if path
            else "-n 'not string match -qv -- \"-*\" (commandline -opc)[2..-1]'"
        )
        if children:
            just = at.replace("__ocpp_gateway_at", "__ocpp_gateway_just")
            lines.append(f"complete -c ocpp-gateway {just} -a '{' '.join(children)}'")
        for name in options:
            choices = values.get(name, "")
            given = (
                f" -x -a '(ocpp-gateway __names {choices[1:]} (commandline -ct))'" if choices.startswith("@") else ""
            )
            given = given or (f" -x -a '{choices}'" if choices else "")
            lines.append(f"complete -c ocpp-gateway {at} -l {name[2:]}{given}")
        if kind.startswith("@"):
            lines.append(f"complete -c ocpp-gateway {at} -a '(ocpp-gateway __names {kind[1:]} (commandline -ct))'")
        elif kind:
            lines.append(f"complete -c ocpp-gateway {at} -a '{kind}'")
    return "\n".join(lines) + "\n"
