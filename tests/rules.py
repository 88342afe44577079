"""The rules of the house: functions over source text that find what offends."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch

from models.kinds import QUEUES
from providers import registry

Rule = Callable[[ast.Module], Iterable[ast.AST]]

PACKAGES = ("models", "providers", "tasks", "web", "sandbox")
MOST_LINES = 300
FIXED = {"web", "tasks", "models", "migrations", "tests", "celeryconfig.py", "requirements.txt"}
FIXED |= {"Procfile", "README.md"}
ADDED = {"providers", "sandbox", "settings.py", "benchmarks", "docs", "deploy", ".ci", ".git*"}
ADDED |= {"Makefile", "pyproject.toml", "LICENSE"}

_ENDS_A_TRANSACTION = {"commit", "rollback", "begin", "begin_nested"}
_PROVIDERS = {*registry.NAMES, "paypal", "klarna"}
_DRIVERS = {"driver_connection", "dbapi_connection", "raw_connection", "cursor", "pgconn"}
_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
_ENVIRONMENT_READERS = {"environs", "dotenv"}
_CLOCKS = {
    "func.now",
    "func.current_timestamp",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "date.today",
    "time.time",
}
_CLOCKS_OF_SQL = re.compile(
    r"\b(now\(\)|current_timestamp|statement_timestamp|clock_timestamp)", re.IGNORECASE
)
_NAME_OF_A_KIND = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*")


def transactions_ended(tree: ast.Module) -> Iterator[ast.AST]:
    """Calls that begin or end a transaction; verbs of our own modules may bear such a name."""
    verbs_of = _imported_from(tree, "models")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _ENDS_A_TRANSACTION
            and not (isinstance(node.func.value, ast.Name) and node.func.value.id in verbs_of)
        ):
            yield node


def providers_named(tree: ast.Module) -> Iterator[ast.AST]:
    """Names of providers and methods in code; an example in the documentation is none."""
    examples = {
        inner
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and _called(node) in ("text", "about"))
        or (isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "example")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in _PROVIDERS and node not in examples:
            yield node


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def drivers_reached(tree: ast.Module) -> Iterator[ast.AST]:
    """Ways past the engine to the driver's own connection, where no event tells of a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _DRIVERS:
            yield node


def environment_read(tree: ast.Module) -> Iterator[ast.AST]:
    """Looks at the variables of the process, by the standard library or a package for it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in _ENVIRONMENT:
            yield node
    from_os = {f"os.{name}" for name in _imported_from(tree, "os")}
    if from_os & _ENVIRONMENT or packages_imported(tree) & _ENVIRONMENT_READERS:
        yield tree


def clocks_read(tree: ast.Module) -> Iterator[ast.AST]:
    """Times that no test can move: of this machine, or of the database but not by `now()`."""
    said_to_people = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if _is_clock(node) or (_is_sql_clock(node) and node not in said_to_people):
            yield node
    if "time" in _imported_from(tree, "time"):
        yield tree


def _is_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in _CLOCKS
    )


def _is_sql_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _CLOCKS_OF_SQL.search(node.value) is not None
    )


def sessions_not_first(tree: ast.Module) -> Iterator[ast.AST]:
    """Functions that take a session, but not before everything else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [each.arg for each in given if each.arg != "self"]
            if "session" in names[1:] or "session" in _keywords(node):
                yield node


def packages_imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def sandbox_imported(tree: ast.Module) -> Iterator[ast.AST]:
    if "sandbox" in packages_imported(tree):
        yield tree


def ours_imported(tree: ast.Module) -> Iterator[ast.AST]:
    if packages_imported(tree) & {*PACKAGES, "celeryconfig"}:
        yield tree


def misnamed(names: Iterable[str]) -> list[str]:
    """Kinds of jobs that are not `noun.verb`, or whose noun has no queue."""
    return [
        name
        for name in names
        if not _NAME_OF_A_KIND.fullmatch(name) or name.partition(".")[0] not in QUEUES
    ]


def unserved(queues: Iterable[str], procfile: str) -> set[str]:
    """Queues that no worker line of the Procfile takes from."""
    served = re.findall(r"^worker\w*: celery .*--queues (\S+)", procfile, re.MULTILINE)
    return set(queues) - {queue for line in served for queue in line.split(",")}


def strangers(names: Iterable[str], ignored: Iterable[str]) -> set[str]:
    """Names at the top level that the design does not know."""
    known = [*FIXED, *ADDED, *ignored]
    return {name for name in names if not any(fnmatch(name, pattern) for pattern in known)}


def too_long(text: str) -> bool:
    return len(text.splitlines()) > MOST_LINES


def _keywords(function: ast.FunctionDef) -> set[str]:
    return {given.arg for given in function.args.kwonlyargs}


def _imported_from(tree: ast.Module, package: str) -> set[str]:
    return {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == package
        for name in node.names
    }
