#!/bin/sh
# The public image's manners: a configuration file alone means "serve it", a
# subcommand alone means registry's.
set -e
case "$1" in
  *.yaml | *.yml) set -- registry serve "$@" ;;
  serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
