"""From other cron programs' files to a crontab: one pure reader for each kind of file.

Each reader gives what it has found as `cronstream.importers.found.Found`; one writer
(`cronstream.importers.writing`) makes a crontab of it, which `cronstream check` takes. What cannot
be carried over is a `Note` at its line: nothing is left out in silence.
"""
