"""Rows of runs on disk: Parquet parts that grow while a cohort is estimated, so that a second fit starts from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host.cohort.estimates import RunRow

if TYPE_CHECKING:
    import pyarrow as pa

PART = "part-{number:05d}.parquet"


def schema() -> pa.Schema:
    """Columns of the table, from the fields of a row."""
    import pyarrow as pa

    kinds = {
        "str": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "tuple[float, ...]": pa.list_(pa.float64()),
        "tuple[str, ...]": pa.list_(pa.string()),
    }
    return pa.schema([(field.name, kinds[str(field.type)]) for field in fields(RunRow)])


class RunStore:
    """A folder of Parquet parts. Parts appear whole; what another version of the code wrote is not given back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        taken = [int(path.stem[5:]) for path in folder.glob("part-*.parquet") if path.stem[5:].isdigit()]
        self._next = max(taken, default=0) + 1

    def add(self, rows: Sequence[RunRow]) -> None:
        """Write rows as one more part."""
        import pyarrow as pa

        if rows:
            self._write(pa.Table.from_pylist([row.as_dict() for row in rows], schema=schema()))

    def _write(self, table: pa.Table) -> Path:
        import pyarrow.parquet as pq

        target = self.folder / PART.format(number=self._next)
        self._next += 1
        part = target.with_suffix(".tmp")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        return target

    def known_keys(self) -> set[str]:
        """Keys of all rows that are there."""
        import pyarrow.parquet as pq

        return {key for path in self._paths() for key in pq.read_table(path, columns=["key"])["key"].to_pylist()}

    def table(self, keys: Iterable[str]) -> pa.Table:
        """Rows with these keys, in order of recording and run."""
        import duckdb
        import pyarrow as pa

        if not self._paths():
            return schema().empty_table()
        names = ", ".join(f"runs.{field.name}" for field in schema())
        # What two programs estimated at once is there twice, and equal.
        query = (
            f"SELECT DISTINCT ON (runs.recording, runs.run_n) {names} FROM read_parquet(?) AS runs "
            "JOIN wanted USING (key) ORDER BY runs.recording, runs.run_n"
        )
        with duckdb.connect() as connection:
            connection.register("wanted", pa.table({"key": pa.array(sorted(set(keys)), pa.string())}))
            found = connection.sql(query, params=[self._paths()]).to_arrow_table()
        return found.cast(schema())

    def compact(self, table: pa.Table) -> None:
        """Keep these rows alone, as one part."""
        old = self._paths()
        if len(old) > 1:
            kept = self._write(table)
            for path in old:
                if path != str(kept):
                    Path(path).unlink(missing_ok=True)

    def _paths(self) -> list[str]:
        return sorted(str(path) for path in self.folder.glob("part-*.parquet"))
