"""Writes docs/reference from schemas, --help and tables, and files of tests/zoo into docs/tools.

With --check it says which pages are not as it would write them.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpipe_ci.cli.commands import COMMANDS
from mlpipe_ci.cli.parser import parser
from mlpipe_ci.core.expressions.functions import SPELLED
from mlpipe_ci.core.settings import FOR_STEPS, table
from mlpipe_ci.core.workflow import GITHUB
from mlpipe_ci.report.diagnostics import RULES
from mlpipe_ci.workflow import contexts

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by docs/generate.py; edit the source instead. -->\n"
SHOWN = re.compile(r"(<!-- from (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A place for a file in a page of docs/tools, named from the root; what is in it is replaced."""
LANGUAGES = {".cfg": "ini", ".js": "js", ".py": "python", ".sql": "sql", ".toml": "toml"}
LANGUAGES |= {".yaml": "yaml", ".yml": "yaml"}


def workflow_file() -> str:
    """The reference of mlpipe.yml, from schema/workflow.schema.json."""
    schema = _schema("workflow")
    parts = ["# The workflow file\n", NOTE, schema["description"] + "\n"]
    parts.append("Editors complete and check it with this first line:\n")
    parts.append(f"```yaml\n# yaml-language-server: $schema={schema['$id']}\n```\n")
    parts += ["## Keys of the file\n", _table(schema)]
    parts += [_part(schema, name) for name in ("defaults", "cache")]
    parts += ["## Keys of a step\n", _table(schema["$defs"]["step"])]
    parts += [
        _part(schema, name)
        for name in ("external", "strategy", "metrics", "plot", "gate", "resources")
    ]
    return "\n".join([*parts, _contexts(), _functions()])


def _part(schema: dict[str, Any], name: str) -> str:
    part = schema["$defs"][name]
    return f"### {name}\n\n{part['description']}\n\n{_table(part)}"


def _contexts() -> str:
    """Which names an expression may use where, from the table that the program checks by."""
    rows = ["## What expressions may name\n", "| in | contexts |", "|---|---|"]
    for key, names in contexts.AVAILABLE.items():
        shown = ", ".join(f"`{name}`" for name in names) or "none"
        rows.append(f"| `{key}` | {shown} |")
    rows.append(f"| all else | {', '.join(f'`{name}`' for name in contexts.DEFAULT)} |")
    github = ", ".join(f"`{name}`" for name in GITHUB)
    rows.append(f"\nThe context `github` has {github}.\n")
    return "\n".join(rows)


def _functions() -> str:
    names = ", ".join(f"`{name}`" for name in SPELLED)
    return (
        f"Functions: {names}. Those of the status, and `hashFiles`, can be used in `if` only. "
        "Operators: `! < <= > >= == != && ||` as on GitHub, and `+ - * /` on numbers.\n"
    )


def command_line() -> str:
    """The reference of the commands, from --help."""
    parts = ["# The command line\n", NOTE, "`ml_pipeline` is the same program.\n"]
    for words in ([], *([name] for name in COMMANDS)):
        parts.append(f"## mlpipe {' '.join(words)}".rstrip() + "\n")
        parts.append(f"```text\n{_help(words)}```\n")
    return "\n".join(parts)


def environment() -> str:
    """The reference of environment variables, from the table of settings."""
    parts = ["# Environment variables\n", NOTE, "## What mlpipe reads\n"]
    parts.append("A variable that is empty counts as one that is not set.\n")
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for line in table():
        default = f"`{line.default}`" if line.default else ""
        rows.append(f"| `{line.name}` | {default} | {_cell(line.meaning)} |")
    parts.append("\n".join(rows) + "\n")
    parts.append(
        "Proxies and certificates: `HTTPS_PROXY`, `REQUESTS_CA_BUNDLE`. Credentials of object "
        "stores are found as the platform's own tools find them.\n"
    )
    rows = ["## What a step is given\n", "| variable | meaning |", "|---|---|"]
    rows += [f"| `{name}` | {_cell(words)} |" for name, words in FOR_STEPS.items()]
    return "\n".join([*parts, *rows, ""])


def json_output() -> str:
    """The reference of the JSON that commands print, from its schemas."""
    parts = ["# JSON output\n", NOTE]
    for name, items in (
        ("plan", "steps"),
        ("report", "steps"),
        ("explain", "steps"),
        ("validate", "files"),
        ("graph", "steps"),
        ("metrics", "metrics"),
        ("audit", "steps"),
        ("verify", "steps"),
    ):
        schema = _schema(name)
        parts.append(f"## {schema['description'].rstrip('.')}\n")
        parts += [_table(schema), f"Each of its {items} (`schema/{name}.schema.json`):\n"]
        parts.append(_table(schema["properties"][items]["items"]))
    show = _schema("show")
    parts += [f"## {show['description'].rstrip('.')}\n", _table(show["items"])]
    parts += ["What made a file (`schema/show.schema.json`):\n", _table(show["$defs"]["result"])]
    parts += ["## Rules of faults\n", "| rule | means |", "|---|---|"]
    parts += [f"| `{rule}` | {words} |" for rule, words in RULES.items()]
    parts.append("")
    return "\n".join(parts)


PAGES = {
    "workflow-file.md": workflow_file,
    "command-line.md": command_line,
    "environment.md": environment,
    "json-output.md": json_output,
}


def tool_page(text: str) -> str:
    """A page of docs/tools with the files that it shows as they are now.

    Raises OSError if it names a file that cannot be read, ValueError if a place has no end.
    """
    if text.count("<!-- from ") != len(SHOWN.findall(text)):
        raise ValueError("each '<!-- from FILE -->' needs a line '<!-- end -->' after it")
    return SHOWN.sub(_shown, text)


def _shown(place: re.Match[str]) -> str:
    start, name, end = place.groups()
    path = ROOT / name
    content = path.read_text("utf-8").rstrip("\n")
    return f"{start}```{LANGUAGES.get(path.suffix, '')}\n{content}\n```\n{end}"


def pages() -> Iterator[tuple[Path, str]]:
    """Each page with the text that it should have."""
    for name, page in PAGES.items():
        yield ROOT / "docs" / "reference" / name, page()
    for path in sorted((ROOT / "docs" / "tools").glob("*.md")):
        try:
            yield path, tool_page(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SystemExit(f"{path.relative_to(ROOT)}: {error}") from error


def main() -> int:
    """Exit code 1 if --check finds a page that is not as it would be written."""
    os.environ["COLUMNS"] = "80"
    stale = []
    for path, text in pages():
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(path.relative_to(ROOT).as_posix())
    if stale:
        print(f"stale: {', '.join(stale)}; run: make docs", file=sys.stderr)
    return 1 if stale else 0


def _schema(name: str) -> dict[str, Any]:
    text = (ROOT / "schema" / f"{name}.schema.json").read_text("utf-8")
    return dict(json.loads(text))


def _table(schema: dict[str, Any]) -> str:
    rows = ["| key | | meaning | example |", "|---|---|---|---|"]
    for key, value in schema["properties"].items():
        needed = "needed" if key in schema.get("required", ()) and "examples" in value else ""
        example = json.dumps(value["examples"][0]) if "examples" in value else ""
        shown = f"`{example}`" if example else ""
        rows.append(f"| `{key}` | {needed} | {_cell(value['description'])} | {_cell(shown)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _help(words: list[str]) -> str:
    top = parser()
    if not words:
        return top.format_help()
    choices = next(a.choices for a in top._actions if a.choices)  # noqa: SLF001 - no public way
    return str(dict(choices)[words[0]].format_help())


if __name__ == "__main__":
    sys.exit(main())
