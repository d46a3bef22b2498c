#!/bin/sh
# What the image runs. The first word says what: a command of Faust's (`worker` is a scheduler, or
# with --cluster a worker), a command of `cronstream`, or a program by its path.
set -eu
case ${1-worker} in
    worker | agents | tables | models | model | send | reset | clean-versions)
        [ $# -gt 0 ] || set -- worker
        exec faust --quiet -A cronstream "$@" ;;
    cronstream | faust | sh | /*)
        exec "$@" ;;
    *)
        exec cronstream "$@" ;;
esac
