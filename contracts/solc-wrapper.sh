#!/bin/sh
# The npm compiler with the command line forge expects of a native solc.
exec node "$(dirname "$0")/solc-wrapper.js" "$@"
