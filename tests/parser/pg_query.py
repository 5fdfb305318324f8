"""pg_query.py - what libpg_query (PostgreSQL's own grammar as a library) says of a text, as the same facts that
parser_facts prints: statements with their bytes and kind, and of queries the tables, functions, constants and
parameters.

Facts are taken of SELECT, INSERT, UPDATE, DELETE, MERGE and COPY, also where EXPLAIN, PREPARE, DECLARE CURSOR, CREATE
TABLE AS, CREATE VIEW and CREATE MATERIALIZED VIEW hold one. Where the grammar replaces what is written, the one form
that both sides are brought to is that of the text:

- functions: the words as written before the parenthesis, folded. So the rewritten EXTRACT, OVERLAY, POSITION,
  SUBSTRING, TRIM, NORMALIZE, COLLATION (FOR ...) and XMLEXISTS are those words without a schema; COALESCE, GREATEST, LEAST,
  NULLIF, GROUPING, XMLELEMENT and the like, CURRENT_DATE and the like, XMLTABLE and the method of TABLESAMPLE count too,
  although the tree has nodes of their own for them. Operators that become calls (AT TIME ZONE, LIKE and SIMILAR TO with
  ESCAPE, OVERLAPS, IS NORMALIZED, IS DOCUMENT) and TREAT, which is a cast, do not.
- constants: the literals, without a sign that the grammar folds into them. What the grammar adds is no literal, type
  modifiers and precisions are part of a type's name.
- tables: names of CTEs in scope are none, nor is what FOR UPDATE OF names.
"""

import ctypes
import ctypes.util
import json
import re


class _Error(ctypes.Structure):
    _fields_ = [("message", ctypes.c_char_p), ("funcname", ctypes.c_char_p), ("filename", ctypes.c_char_p),
                ("lineno", ctypes.c_int), ("cursorpos", ctypes.c_int), ("context", ctypes.c_char_p)]


class _Result(ctypes.Structure):
    _fields_ = [("tree", ctypes.c_char_p), ("stderr", ctypes.c_char_p), ("error", ctypes.POINTER(_Error))]


def load():
    """The library, or None where it is not installed."""
    name = ctypes.util.find_library("pg_query")
    if not name:
        return None
    library = ctypes.CDLL(name)
    library.pg_query_parse.restype = _Result
    library.pg_query_parse.argtypes = [ctypes.c_char_p]
    library.pg_query_free_parse_result.argtypes = [_Result]
    return library


# ---- tokens, as far as they are needed --------------------------------------------------------------------------------

# White space within a string literal that goes on in another line.
_GOES_ON = rb"(?:[ \t\f\v]|--[^\r\n]*)*[\r\n](?:[ \t\f\v\r\n]|--[^\r\n]*[\r\n])*"
_BACKSLASHED = rb"[eE]'(?:[^'\\]|\\.|'')*'(?:" + _GOES_ON + rb"'(?:[^'\\]|\\.|'')*')*"
_QUOTED = rb"(?:[nNbBxX]|[uU]&)?'[^']*'(?:'[^']*')*(?:" + _GOES_ON + rb"'[^']*'(?:'[^']*')*)*"
_DOLLARED = rb"(\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$).*?\1"
_NUMBER = rb"(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SPACE = rb"(?:[ \t\r\n\f\v]|--[^\r\n]*)+"
_ESCAPED_BY = rb"(?:" + _SPACE + rb")?[uU][eE][sS][cC][aA][pP][eE](?:" + _SPACE + rb")?'[^']'"
_LITERAL = re.compile(_DOLLARED + rb"|" + _BACKSLASHED + rb"|" + _QUOTED + rb"|" + _NUMBER + rb"|(?i:true|false|null)\b", re.S)
_ESCAPE = re.compile(_ESCAPED_BY)
_TOKEN = re.compile(_DOLLARED + rb"|" + _BACKSLASHED + rb"|" + _QUOTED +
                    rb'|"[^"]*"|(?P<space>[ \t\r\n\f\v]+|--[^\r\n]*)|(?P<comment>/\*)'
                    rb"|[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*|\$[0-9]+|" + _NUMBER + rb"|::|[<>!]=|<>|.", re.S)
_COMMENT_MARK = re.compile(rb"/\*|\*/")
_BLANKS = b" \t\r\n\f\v"


def _skip_comment(text, at):
    """The end of the (nesting) comment that begins at `at`."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, at):
        depth += 1 if mark.group() == b"/*" else -1
        if not depth:
            return mark.end()
    return len(text)


def trim(text, start, end):
    """The span without white space and comments at its ends."""
    part = text[start:end]
    if b"--" not in part and b"/*" not in part:
        stripped = part.strip(_BLANKS)
        start += len(part) - len(part.lstrip(_BLANKS))
        return start, start + len(stripped)
    first = last = None
    at = start
    while at < end:
        token = _TOKEN.match(text, at, end)
        if token["comment"]:
            at = _skip_comment(text, at)
            continue
        if not token["space"]:
            first = at if first is None else first
            last = token.end()
        at = token.end()
    return (start, start) if first is None else (first, last)


def words(text):
    """The spans of the words of a text, about as a lexer sees them."""
    found, at = [], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token["comment"]:
            at = _skip_comment(text, at)
            continue
        if not token["space"]:
            found.append(token.span())
        at = token.end()
    return found


def _literal(text, at):
    """The literal that a constant at `at` comes from, as (start, text); None when the grammar made the constant."""
    while text[at:at + 1] in (b"-", b"("):  # the sign is folded into the number, the location is the sign's
        at += 1
        while True:
            while text[at:at + 1] and text[at:at + 1] in _BLANKS:
                at += 1
            if text.startswith(b"--", at):
                at = min((p for p in (text.find(b"\n", at), text.find(b"\r", at)) if p >= 0), default=len(text))
            elif text.startswith(b"/*", at):
                at = _skip_comment(text, at)
            else:
                break
    found = _LITERAL.match(text, at)
    if not found:
        return None
    end = found.end()
    if text[at:at + 2] in (b"u&", b"U&"):
        escape = _ESCAPE.match(text, end)
        end = escape.end() if escape else end
    return at, text[at:end].decode("utf-8", "replace")


# ---- kinds: the server's command tags ---------------------------------------------------------------------------------

# The name of an object type in a tag; others are their own words.
_OBJECT = {
    "OBJECT_ATTRIBUTE": "TYPE", "OBJECT_COLUMN": "TABLE", "OBJECT_DOMCONSTRAINT": "DOMAIN", "OBJECT_FDW": "FOREIGN DATA WRAPPER",
    "OBJECT_FOREIGN_SERVER": "SERVER", "OBJECT_LARGEOBJECT": "LARGE OBJECT", "OBJECT_MATVIEW": "MATERIALIZED VIEW",
    "OBJECT_OPCLASS": "OPERATOR CLASS", "OBJECT_OPFAMILY": "OPERATOR FAMILY", "OBJECT_STATISTIC_EXT": "STATISTICS",
    "OBJECT_TABCONSTRAINT": "TABLE", "OBJECT_TSCONFIGURATION": "TEXT SEARCH CONFIGURATION",
    "OBJECT_TSDICTIONARY": "TEXT SEARCH DICTIONARY", "OBJECT_TSPARSER": "TEXT SEARCH PARSER",
    "OBJECT_TSTEMPLATE": "TEXT SEARCH TEMPLATE",
}


def _object(name):
    return _OBJECT.get(name) or name[len("OBJECT_"):].replace("_", " ")


def _transaction(node):
    kind = node["kind"][len("TRANS_STMT_"):]
    return {"START": "START TRANSACTION", "ROLLBACK_TO": "ROLLBACK", "PREPARE": "PREPARE TRANSACTION"}.get(
        kind) or kind.replace("_", " ")


def _create_as(node):
    return "CREATE MATERIALIZED VIEW" if node["objtype"] == "OBJECT_MATVIEW" else "CREATE TABLE AS"


def _rename(node):
    return "ALTER " + _object(node["relationType"] if node["renameType"] == "OBJECT_COLUMN" else node["renameType"])


_KIND = {
    # whatever stands in the tree
    "AlterFunctionStmt": lambda n: "ALTER " + _object(n["objtype"]),
    "AlterObjectDependsStmt": lambda n: "ALTER " + _object(n["objectType"]),
    "AlterObjectSchemaStmt": lambda n: "ALTER " + _object(n["objectType"]),
    "AlterOwnerStmt": lambda n: "ALTER " + _object(n["objectType"]),
    "AlterTableMoveAllStmt": lambda n: "ALTER " + _object(n["objtype"]),
    "AlterTableStmt": lambda n: "ALTER " + _object(n["objtype"]),
    "ClosePortalStmt": lambda n: "CLOSE CURSOR" if "portalname" in n else "CLOSE CURSOR ALL",
    "CreateFunctionStmt": lambda n: "CREATE PROCEDURE" if n.get("is_procedure") else "CREATE FUNCTION",
    "CreateTableAsStmt": _create_as,
    "DeallocateStmt": lambda n: "DEALLOCATE" if "name" in n else "DEALLOCATE ALL",
    "DefineStmt": lambda n: "CREATE " + _object(n["kind"]),
    "DiscardStmt": lambda n: n["target"].replace("_", " "),
    "DropStmt": lambda n: "DROP " + _object(n["removeType"]),
    "FetchStmt": lambda n: "MOVE" if n.get("ismove") else "FETCH",
    "GrantRoleStmt": lambda n: "GRANT ROLE" if n.get("is_grant") else "REVOKE ROLE",
    "GrantStmt": lambda n: "GRANT" if n.get("is_grant") else "REVOKE",
    "RenameStmt": _rename,
    "TransactionStmt": _transaction,
    "VacuumStmt": lambda n: "VACUUM" if n.get("is_vacuumcmd") else "ANALYZE",
    "VariableSetStmt": lambda n: "RESET" if n["kind"].startswith("VAR_RESET") else "SET",
}
_KIND_WORDS = {
    "AlterDatabaseRefreshCollStmt": "ALTER DATABASE", "AlterDatabaseSetStmt": "ALTER DATABASE",
    "AlterEnumStmt": "ALTER TYPE", "AlterEventTrigStmt": "ALTER EVENT TRIGGER", "AlterExtensionContentsStmt": "ALTER EXTENSION",
    "AlterFdwStmt": "ALTER FOREIGN DATA WRAPPER", "AlterForeignServerStmt": "ALTER SERVER",
    "AlterOpFamilyStmt": "ALTER OPERATOR FAMILY", "AlterRoleSetStmt": "ALTER ROLE", "AlterSeqStmt": "ALTER SEQUENCE",
    "AlterStatsStmt": "ALTER STATISTICS", "AlterTSConfigurationStmt": "ALTER TEXT SEARCH CONFIGURATION",
    "AlterTSDictionaryStmt": "ALTER TEXT SEARCH DICTIONARY", "AlterTableSpaceOptionsStmt": "ALTER TABLESPACE",
    "CheckPointStmt": "CHECKPOINT", "CompositeTypeStmt": "CREATE TYPE", "ConstraintsSetStmt": "SET CONSTRAINTS",
    "CreateAmStmt": "CREATE ACCESS METHOD", "CreateEnumStmt": "CREATE TYPE", "CreateEventTrigStmt": "CREATE EVENT TRIGGER",
    "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER", "CreateForeignServerStmt": "CREATE SERVER",
    "CreateOpClassStmt": "CREATE OPERATOR CLASS", "CreateOpFamilyStmt": "CREATE OPERATOR FAMILY",
    "CreatePLangStmt": "CREATE LANGUAGE", "CreateRangeStmt": "CREATE TYPE", "CreateSeqStmt": "CREATE SEQUENCE",
    "CreateStatsStmt": "CREATE STATISTICS", "CreateStmt": "CREATE TABLE", "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "CreateTrigStmt": "CREATE TRIGGER", "CreatedbStmt": "CREATE DATABASE", "DropTableSpaceStmt": "DROP TABLESPACE",
    "DropdbStmt": "DROP DATABASE", "IndexStmt": "CREATE INDEX", "LockStmt": "LOCK TABLE",
    "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW", "RuleStmt": "CREATE RULE", "SecLabelStmt": "SECURITY LABEL",
    "TruncateStmt": "TRUNCATE TABLE", "VariableShowStmt": "SHOW", "ViewStmt": "CREATE VIEW",
}


def kind_of(name, node):
    """The command tag of a statement's node. What no table names is tagged with the words of its node's name."""
    if name in _KIND:
        return _KIND[name](node)
    return _KIND_WORDS.get(name) or " ".join(re.findall("[A-Z][a-z]+", name[:-len("Stmt")])).upper()


# ---- facts of queries -------------------------------------------------------------------------------------------------

_QUERIES = {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt"}
_AROUND_QUERIES = {"ExplainStmt", "CreateTableAsStmt", "PrepareStmt", "DeclareCursorStmt", "ViewStmt"}

# Special syntax that the grammar makes calls of functions in pg_catalog of; None: an operator, no function.
_WRITTEN = {"pg_collation_for": "collation", "btrim": "trim", "ltrim": "trim", "rtrim": "trim", "timezone": None,
            "overlaps": None, "is_normalized": None}
_XML = {"IS_XMLCONCAT": "xmlconcat", "IS_XMLELEMENT": "xmlelement", "IS_XMLFOREST": "xmlforest", "IS_XMLPARSE": "xmlparse",
        "IS_XMLPI": "xmlpi", "IS_XMLROOT": "xmlroot"}
_OPERATOR_AT = re.compile(rb"(?i)(?:not|i?like|similar|treat)\b")


def _dotted(names):
    return ".".join(name["String"].get("sval", "") for name in names)


class _Facts:
    """Walks a query's tree. `scope` holds the names of the CTEs that a name without schema may mean."""

    def __init__(self, text):
        self.text = text
        self.reads, self.writes, self.functions = [], [], []
        self.constants, self.params = {}, []

    def result(self):
        return {"reads": sorted(self.reads), "writes": sorted(self.writes), "functions": sorted(self.functions),
                "constants": [self.constants[at] for at in sorted(self.constants)],
                "params": [number for _, number in sorted(self.params)]}

    def statement(self, name, node):
        if name in _QUERIES:
            self.node(name, node, frozenset())
        elif name in _AROUND_QUERIES and "query" in node:
            self.statement(*next(iter(node["query"].items())))

    def walk(self, value, scope):
        if isinstance(value, list):
            for item in value:
                self.walk(item, scope)
        elif isinstance(value, dict):
            for name, below in value.items():
                if isinstance(below, (dict, list)):
                    self.node(name, below, scope)

    def node(self, name, node, scope):
        visit = _VISITORS.get(name)
        if visit:
            visit(self, node, scope)
        else:
            self.walk(node, scope)

    # -- tables

    def table(self, node):
        return ".".join(node[part] for part in ("catalogname", "schemaname", "relname") if part in node)

    def on_range_var(self, node, scope):
        if "schemaname" in node or node["relname"] not in scope:
            self.reads.append(self.table(node))

    def on_written(self, node, scope):
        """The target of INSERT, UPDATE, DELETE, MERGE: never a CTE."""
        node = dict(node)
        self.writes.append(self.table(node.pop("relation")))
        self.on_query(node, scope)

    def on_copy(self, node, scope):
        node = dict(node)
        if "relation" in node:
            (self.writes if node.get("is_from") else self.reads).append(self.table(node.pop("relation")))
        self.walk({part: node[part] for part in ("query", "whereClause") if part in node}, scope)

    def on_into(self, node, scope):
        self.writes.append(self.table(node["rel"]))

    def on_query(self, node, scope):
        """A statement that may begin with WITH."""
        node = dict(node)
        clause = node.pop("withClause", None)
        if clause:
            ctes = [cte["CommonTableExpr"] for cte in clause["ctes"]]
            if clause.get("recursive"):
                scope = scope | {cte["ctename"] for cte in ctes}
            for cte in ctes:
                self.walk(cte, scope)
                scope = scope | {cte["ctename"]}
        self.walk(node, scope)

    def on_multi_assign(self, node, scope):
        """(a, b) = (SELECT ...) is one source, which the tree repeats for each column."""
        if node.get("colno") == 1:
            self.walk(node, scope)

    def on_nothing(self, node, scope):
        pass

    # -- functions

    def on_call(self, node, scope):
        name = _dotted(node["funcname"])
        if node.get("funcformat") == "COERCE_SQL_SYNTAX":
            name = name[len("pg_catalog."):]
            name = _WRITTEN.get(name, name)
        elif name.startswith("pg_catalog.") and _OPERATOR_AT.match(self.text, node.get("location", 0)):
            name = None
        if name:
            self.functions.append(name)
        self.walk({part: below for part, below in node.items() if part != "funcname"}, scope)

    def on_sample(self, node, scope):
        self.functions.append(_dotted(node["method"]))
        self.walk({part: below for part, below in node.items() if part != "method"}, scope)

    def on_operator(self, node, scope):
        if node["kind"] == "AEXPR_NULLIF":
            self.functions.append("nullif")
        self.walk({part: below for part, below in node.items() if part != "name"}, scope)

    def on_xml(self, node, scope):
        if node["op"] in _XML:
            self.functions.append(_XML[node["op"]])
        self.walk(node, scope)

    def on_named(name):
        def visit(self, node, scope):
            self.functions.append(name)
            self.walk(node, scope)
        return visit

    def on_min_max(self, node, scope):
        self.functions.append(node["op"][len("IS_"):].lower())
        self.walk(node, scope)

    def on_bare(self, node, scope):
        self.functions.append(re.sub("_n$", "", node["op"][len("SVFOP_"):].lower()))

    # -- constants and parameters

    def on_constant(self, node, scope):
        at = node.get("location", 0)
        literal = _literal(self.text, at) if at >= 0 else None
        if literal:
            self.constants[literal[0]] = literal[1]

    def on_param(self, node, scope):
        self.params.append((node.get("location", 0), node.get("number", 0)))

    visitors = {
        "RangeVar": on_range_var, "intoClause": on_into, "CopyStmt": on_copy, "MultiAssignRef": on_multi_assign,
        "InsertStmt": on_written, "UpdateStmt": on_written, "DeleteStmt": on_written, "MergeStmt": on_written,
        "SelectStmt": on_query, "larg": on_query, "rarg": on_query,
        "lockedRels": on_nothing, "typeName": on_nothing, "TypeName": on_nothing,
        "FuncCall": on_call, "RangeTableSample": on_sample, "A_Expr": on_operator, "XmlExpr": on_xml,
        "XmlSerialize": on_named("xmlserialize"), "CoalesceExpr": on_named("coalesce"), "MinMaxExpr": on_min_max,
        "GroupingFunc": on_named("grouping"), "RangeTableFunc": on_named("xmltable"), "SQLValueFunction": on_bare,
        "A_Const": on_constant, "ParamRef": on_param,
    }


_VISITORS = _Facts.visitors


def facts(library, text):
    """{"statements": [...]} as parser_facts prints it, or {"error": message, "position": byte or None}."""
    result = library.pg_query_parse(text)
    try:
        if result.error:
            error = result.error.contents
            return {"error": error.message.decode("utf-8", "replace"),
                    "position": error.cursorpos - 1 if error.cursorpos > 0 else None}
        tree = json.loads(result.tree)
    finally:
        library.pg_query_free_parse_result(result)
    statements = []
    for raw in tree["stmts"]:
        (name, node), = raw["stmt"].items()
        start = raw.get("stmt_location", 0)
        start, end = trim(text, start, start + raw["stmt_len"] if "stmt_len" in raw else len(text))
        found = _Facts(text)
        found.statement(name, node)
        statements.append({"start": start, "end": end, "kind": kind_of(name, node), **found.result()})
    return {"statements": statements}
