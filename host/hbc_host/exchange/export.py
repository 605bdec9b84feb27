"""``hbc export``: sessions in, files of one format out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hbc_host.errors import InputError
from hbc_host.exchange.content import Content, content_of
from hbc_host.exchange.import_content import all_imports, import_contents
from hbc_host.exchange.naming import named_sessions
from hbc_host.exchange.out_files import write_all

FORMATS = ("edf", "rr", "csv", "parquet", "wfdb", "bids")


@dataclass(frozen=True)
class Exported:
    """What was written, by whom it is called now, and what a person should know."""

    files: tuple[Path, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def export_sessions(
    export_format: str, folders: Sequence[Path], dest: Path, *, subject: str | None = None, with_date: bool = True
) -> Exported:
    """Write sessions in one of :data:`FORMATS` to the folder ``dest``. The same sessions give the same bytes.

    Parameters
    ----------
    export_format : str
    folders : sequence of Path
        Session folders, or for ``rr`` imports.
    dest : Path
        Made when absent; for ``bids`` it must be empty.
    subject : str, optional
        Pseudonym for all sessions; else that of ``visit.json``, else one made from the recording's hash.
    with_date : bool
        False leaves date and time of day out.

    Raises
    ------
    InputError
        An unknown format, no session, a file in the way, or a session that the format cannot hold.
    SessionError
        A folder holds no recording.
    """
    if export_format not in FORMATS:
        raise InputError(f"no format {export_format!r}; choose one of {', '.join(FORMATS)}")
    if not folders:
        raise InputError("give at least one session folder, then the folder for the files")
    notes: list[str] = []
    if all_imports(folders, export_format):
        contents = import_contents(folders, subject)
    else:
        named = named_sessions(folders, subject)
        contents = [content_of(one, export_format=export_format, with_date=with_date) for one in named]
        notes = [f"{one.name}: {one.doubt}" for one in named if one.doubt]

    def fill(folder: Path) -> None:
        if export_format == "bids":
            from hbc_host.exchange.bids import write_bids

            write_bids(contents, folder)
            return
        write = _writer(export_format)
        for content in contents:
            write(content, folder)

    files = write_all(dest, fill, empty=export_format == "bids")
    notes += [note for content in contents for note in _notes(content)]
    return Exported(tuple(files), tuple(content.name for content in contents), tuple(notes))


def _writer(export_format: str) -> Callable[[Content, Path], None]:
    if export_format == "edf":
        from hbc_host.exchange.edf import write_edf

        return write_edf
    if export_format == "wfdb":
        from hbc_host.exchange.wfdb_out import write_wfdb

        return write_wfdb
    from hbc_host.exchange import tables_out

    return {"rr": tables_out.write_rr, "csv": tables_out.write_csv, "parquet": tables_out.write_parquet}[export_format]


def _notes(content: Content) -> list[str]:
    notes = []
    if content.subject.startswith("rec-"):
        notes.append(f"{content.name}: no visit.json names a pseudonym, so the name comes from the data; or --subject")
    if content.practice:
        notes.append(f"{content.name}: {content.practice}; name and content of each file say so")
    if "manifest" not in content.provenance:  # an import: what the box vouches for is not in it
        return notes
    manifest = content.provenance["manifest"]
    if manifest != "agrees":
        said = f"the manifest {manifest}" if manifest == "differs" else f"its manifest is {manifest}"
        notes.append(f"{content.name}: {said}: nothing shows that the recording is as it was; see hbc session verify")
    error_us = content.provenance["sample_instant_error_max_us"]
    if error_us > 1e6 / content.rate_hz:
        notes.append(f"{content.name}: a sample lies {error_us / 1e3:.1f} ms off the even grid, more than a sample")
    return notes
