"""Files that other systems write or read: no detection, no science, no port.

* :mod:`hbc_host.io.registry` - every format in one table; ``read_recording`` takes any of them
* :mod:`hbc_host.io.recording` - what any reader gives: ECG, beats, triggers, and every guess that was made
* :mod:`hbc_host.io.limits` - how much a file may declare and a reader may take
* readers: :mod:`~hbc_host.io.edf`, :mod:`~hbc_host.io.xdf` (after :mod:`~hbc_host.io.xdf_check`),
  :mod:`~hbc_host.io.wfdb_import`, :mod:`~hbc_host.io.text_apps`, :mod:`~hbc_host.io.text_plain`,
  :mod:`~hbc_host.io.session_import`, :mod:`~hbc_host.io.import_folder` (written by :mod:`~hbc_host.io.import_writer`)
* what readers share: :mod:`~hbc_host.io.decode`, :mod:`~hbc_host.io.layout`, :mod:`~hbc_host.io.table` (text),
  :mod:`~hbc_host.io.compose`, :mod:`~hbc_host.io.grid`, :mod:`~hbc_host.io.levels`, :mod:`~hbc_host.io.rr`,
  :mod:`~hbc_host.io.spans`, :mod:`~hbc_host.io.units`, :mod:`~hbc_host.io.faults`
* plain columns: :mod:`hbc_host.io.ecg_text`, :mod:`hbc_host.io.events_csv`, told apart by :mod:`hbc_host.io.sniff`
* :mod:`hbc_host.io.ecg_signal` - ECG of any of these, and of our sessions, as one value
* :mod:`hbc_host.io.wfdb_record`, :mod:`hbc_host.io.wfdb_marks` - WFDB records and annotations
* :mod:`hbc_host.io.beats_out` - beats as CSV and JSON
"""
