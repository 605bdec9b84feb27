"""Files that other systems write or read: no detection, no science.

* :mod:`hbc_host.io.ecg_text` - ECG, one value a line
* :mod:`hbc_host.io.wfdb_record` - WFDB records
* :mod:`hbc_host.io.events_csv` - beat times and trigger times in seconds
* :mod:`hbc_host.io.sniff` - which of these a path is
* :mod:`hbc_host.io.ecg_signal` - ECG of any of these, and of our sessions, as one value
* :mod:`hbc_host.io.wfdb_marks` - WFDB annotations, read and written
* :mod:`hbc_host.io.beats_out` - beats as CSV and JSON
"""
