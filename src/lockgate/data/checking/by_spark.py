"""The look at a Parquet table's rows by Spark: the same rules, the same rows named, on many machines.

Not by `pandera.pyspark`: its checks tell the first wrong value at most and never a row (unionai-oss/pandera,
issue 1540). Rules are columns of Spark SQL, so that executors need no Python.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

from .check import BrokenLookError, Look, wanted
from .drift import MOST_SAMPLED, SPREAD
from .keys import known_values
from .rules import ColumnRules
from .table import UnreadableError, files_of, kind_of, open_table

#: Of the project's own runtime, which may bring PySpark where the site's installation does not.
RUNTIME = "LOCKGATE_SPARK_RUNTIME"
_NAMED = 10
_ROW, _FILE, _AT, _COUNT, _FIRST, _VALUE = (
    f"\0{word}" for word in ("row", "file", "at", "count", "first", "value")
)
#: Error classes of Spark that say that a file is no Parquet (common/utils, error-conditions.json).
_BROKEN = ("FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER", "CANNOT_MERGE_SCHEMAS", "is not a Parquet file")


def is_parquet(path: str) -> bool:
    """Return whether a table is what this reads: a Parquet file, or a folder of them."""
    try:
        return {kind_of(file) for file in files_of(path)} == {"parquet"}
    except UnreadableError:
        return False


class SparkLook(Look):
    """As `Look`, by the Spark that the job's environment leads to. Raises `BrokenLookError`."""

    def look(self, keys: Sequence[tuple[str, ...]], drifting: list[str]) -> dict[str, pl.Series]:
        _find_spark()
        from py4j.protocol import Py4JError  # noqa: PLC0415  (only where Spark is asked)
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415

        try:
            session = SparkSession.builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
        except (PySparkException, Py4JError) as error:
            raise BrokenLookError(f"Spark does not start: {str(error).splitlines()[0]}") from None
        try:
            # What is no value of a type is null, and products wrap, as in polars
            session.conf.set("spark.sql.ansi.enabled", "false")
            session.conf.set("spark.sql.session.timeZone", "UTC")
            return _Rows(self, session).look(keys, drifting)
        except (PySparkException, Py4JError) as error:
            said = str(error)
            cause = next((line for line in said.splitlines() if any(word in line for word in _BROKEN)), None)
            if cause is not None:
                raise UnreadableError(f"cannot be read: {cause.lstrip(': ')}") from None
            raise BrokenLookError(f"Spark broke off: {said.splitlines()[0]}") from None
        finally:
            session.stop()


class _Rows:
    """The rows of a table as Spark has them, numbered as they lie in the files in their order."""

    def __init__(self, look: Look, session: Any) -> None:
        from pyspark.sql import functions  # noqa: PLC0415

        self._sql = functions
        self._session = session
        self._checking = look
        self._dtypes = look.table.frame.collect_schema()
        self._frame = self._numbered()

    def look(self, keys: Sequence[tuple[str, ...]], drifting: list[str]) -> dict[str, pl.Series]:
        self._single()
        for key in keys:
            self._unique(key)
        for name, rules in self._checking.columns.items():
            if rules.references is not None:
                self._references(name, rules)
        return self._sampled(drifting) if self._checking.rows else {}

    def _numbered(self) -> Any:
        f, path = self._sql, self._checking.path
        files = [os.path.abspath(file) for file in files_of(path)]
        raw = self._read(files, path if os.path.isdir(path) else None)
        counts = {
            each[0]: each[1]
            for each in raw.groupBy(f.col("_metadata.file_path").alias(_FILE)).count().collect()
        }
        written = {os.path.realpath(unquote(urlsplit(uri).path)): uri for uri in counts}
        offsets = []
        for file in files:
            uri = written.get(os.path.realpath(file))
            if uri is not None:
                offsets.append((uri, self._checking.rows))
                self._checking.rows += counts[uri]
        places = self._session.createDataFrame(offsets, f"`{_FILE}` string, `{_AT}` long")
        columns = [self._plain(name) for name in self._checking.table.columns]
        placed = raw.select(
            *columns, f.col("_metadata.file_path").alias(_FILE), f.col("_metadata.row_index").alias(_ROW)
        ).join(f.broadcast(places), _FILE)
        return placed.withColumn(_ROW, f.col(_ROW) + f.col(_AT)).drop(_FILE, _AT)

    def _read(self, files: Sequence[str], base: str | None) -> Any:
        # Names are no patterns (DataSource.scala, GLOB_PATHS_KEY)
        reader = self._session.read.option("__globPaths__", "false")
        if base is not None:
            reader = reader.option("basePath", os.path.abspath(base))
        return reader.parquet(*map(os.path.abspath, files))

    def _plain(self, name: str) -> Any:
        column = self._sql.col(_quoted(name))
        if self._dtypes[name].is_float():
            column = self._sql.when(~self._sql.isnan(column), column)
        return column.alias(name)

    def _single(self) -> None:
        """Judge each row alone: one pass that counts, and one more for each rule that fails."""
        f = self._sql
        judged = [
            (name, rule, fails)
            for name, rules in self._checking.columns.items()
            for rule, fails in self._failing(name, rules)
        ]
        if not judged:
            return
        counts = self._frame.agg(*(f.count(f.when(fails, True)) for _, _, fails in judged)).first()
        for (name, rule, fails), count in zip(judged, counts, strict=True):
            if count:
                rows = self._first(self._frame.filter(fails), name)
                self._checking.fail(rule, name, wanted(rule, self._checking.columns[name])).add(rows, count)

    def _failing(self, name: str, rules: ColumnRules) -> Iterator[tuple[str, Any]]:
        column = self._sql.col(_quoted(name))
        if not rules.nullable:
            yield "nullable", column.isNull()
        if rules.min is not None:
            yield "min", column < self._limit(rules.min, rules.type)
        if rules.max is not None:
            yield "max", column > self._limit(rules.max, rules.type)
        if rules.values is not None:
            yield "values", ~column.isin(list(rules.values))
        if rules.pattern is not None:
            yield "pattern", ~column.rlike(rf"\A(?:{rules.pattern})\z")

    def _limit(self, value: Any, type_: str | None) -> Any:
        limit = self._sql.lit(value)
        return (
            limit.cast({"date": "date", "datetime": "timestamp"}[type_])
            if type_ in ("date", "datetime")
            else limit
        )

    def _first(self, failing: Any, name: str) -> list[tuple[int, Any]]:
        found = failing.select(_quoted(_ROW), _quoted(name)).orderBy(_quoted(_ROW)).limit(_NAMED).collect()
        values = self._series(name, [each[1] for each in found]).cast(pl.String)
        return [(each[0] + 1, value) for each, value in zip(found, values, strict=True)]

    def _series(self, name: str, values: Sequence[Any]) -> pl.Series:
        return pl.Series(name, values, self._dtypes[name], strict=False)

    def _unique(self, key: tuple[str, ...]) -> None:
        f = self._sql
        columns = [_quoted(name) for name in key]
        keyed = self._frame.select(_quoted(_ROW), *columns).dropna("any")
        again = keyed.groupBy(*columns).agg(f.min(_quoted(_ROW)).alias(_FIRST), f.count("*").alias(_COUNT))
        again = again.filter(f.col(_quoted(_COUNT)) > 1)
        count = again.agg(f.sum(f.col(_quoted(_COUNT)) - 1)).first()[0]
        if not count:
            return
        later = keyed.join(again, list(key)).filter(f.col(_quoted(_ROW)) > f.col(_quoted(_FIRST)))
        found = (
            later.orderBy(_quoted(_ROW))
            .select(_quoted(_ROW), _quoted(_FIRST), *columns)
            .limit(_NAMED)
            .collect()
        )
        texts = [
            self._series(name, [each[at] for each in found]).cast(pl.String) for at, name in enumerate(key, 2)
        ]
        rows = [
            (each[0] + 1, f"{', '.join(text[at] for text in texts)} (as in row {each[1] + 1})")
            for at, each in enumerate(found)
        ]
        self._checking.fail_unique(key, rows, count)

    def _references(self, name: str, rules: ColumnRules) -> None:
        assert rules.references is not None
        known = self._known(name, rules)
        if known is None:
            return
        lost = self._frame.filter(self._sql.col(_quoted(name)).isNotNull()).join(known, name, "left_anti")
        count = lost.count()
        if count:
            words = f"is not in column {rules.references.column} of {rules.references.file}"
            self._checking.fail("references", name, words).add(self._first(lost, name), count)

    def _known(self, name: str, rules: ColumnRules) -> Any:
        """Return the other table's values, by this column's name and type; None: it has none, as is noted."""
        assert rules.references is not None
        file, column = rules.references.file, rules.references.column
        try:
            if is_parquet(file):
                is_there = column in open_table(file).columns
                values = self._read(files_of(file), None).select(_quoted(column)) if is_there else None
            else:
                series = known_values(file, column, rules.type)
                rows = [(value,) for value in series] if series is not None else []
                values = (
                    self._session.createDataFrame(rows, f"`{_VALUE}` string") if series is not None else None
                )
        except UnreadableError as error:
            self._checking.fail("references", name, f"{file}, which it refers to: {error.words}")
            return None
        if values is None:
            self._checking.fail("references", name, f"{file}, which it refers to, has no column {column}")
            return None
        type_ = self._frame.schema[name].dataType
        return values.select(self._sql.col(_quoted(values.columns[0])).cast(type_).alias(name)).distinct()

    def _sampled(self, names: list[str]) -> dict[str, pl.Series]:
        """Return the rows that `drift.Sample` keeps of as many."""
        if not names:
            return {}
        f = self._sql
        halvings = 0
        while self._checking.rows >> halvings > MOST_SAMPLED:
            halvings += 1
        kept = self._frame
        if halvings:
            spread = f.col(_quoted(_ROW)) * f.lit(SPREAD - 2**64)
            kept = kept.filter(f.shiftrightunsigned(spread, 64 - halvings) == 0)
        rows = kept.orderBy(_quoted(_ROW)).select(*map(_quoted, names)).collect()
        return {name: self._series(name, [row[at] for row in rows]) for at, name in enumerate(names)}


def _find_spark() -> None:
    """Let `import pyspark` find the site's Spark, else that of the project's runtime."""
    try:
        import pyspark  # noqa: F401, PLC0415
    except ImportError:
        homes = [
            os.environ.get("SPARK_HOME", ""),
            *glob.glob(
                os.path.join(os.environ.get(RUNTIME) or "/nowhere", "lib/python3*/site-packages/pyspark")
            ),
        ]
        for home in filter(None, homes):
            libraries = sorted(glob.glob(os.path.join(home, "python/lib/*.zip")))
            if libraries:
                os.environ["SPARK_HOME"] = home
                sys.path += libraries
                return
        raise BrokenLookError(
            "there is no Spark here: name pyspark in the project's requirements, "
            "or spark_home in [batch.spark]"
        ) from None


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
