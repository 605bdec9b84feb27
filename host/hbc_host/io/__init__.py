"""Readers of files that other systems write. They only read: no detection, no science.

* :mod:`hbc_host.io.ecg_text` - ECG, one value a line
* :mod:`hbc_host.io.wfdb_record` - WFDB records
* :mod:`hbc_host.io.events_csv` - beat times and trigger times in seconds
* :mod:`hbc_host.io.sniff` - which of these a path is
"""
