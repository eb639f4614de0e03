# Prepares this checkout's own .venv; sourced by the other scripts, never run alone.
#
#   ROOT             the checkout (the sourcing script sets it)
#   ensure_environment runtime|dev   installs what is missing, then sets PYTHON
#
# The common case, everything in place, costs one comparison of files. Everything that this file
# says goes to stderr: stdout belongs to the program that is started afterwards.

say() { printf 'chatnet: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

ensure_environment() {
    VENV=$ROOT/.venv
    PYTHON=$VENV/bin/python
    environment_is_ready "$1" || prepare_environment "$1"
    # The system's PyQt5 may have been installed since.
    if [ -e "$VENV/no-window" ] && link_system_window; then rm -f "$VENV/no-window"; fi
}

# environment_recipe KIND: what the environment is made from. A moved checkout, another lock or
# other metadata make it anew; the settings of tools, from pytest's on, do not.
environment_recipe() {
    printf '%s\n' "$ROOT"
    awk '/^\[tool\.pytest/ { exit } { print }' "$ROOT/pyproject.toml"
    cat "$ROOT/scripts/requirements.lock" "$ROOT/scripts/requirements-window.lock"
    [ "$1" = runtime ] || cat "$ROOT/scripts/requirements-dev.lock"
}

stamp_of() { printf '%s/chatnet-%s.stamp' "$VENV" "$1"; }

environment_is_ready() {
    [ -x "$PYTHON" ] && environment_recipe "$1" | cmp -s - "$(stamp_of "$1")"
}

write_stamp() {
    environment_recipe "$1" >"$(stamp_of "$1").new"
    mv -f "$(stamp_of "$1").new" "$(stamp_of "$1")"
}

prepare_environment() {
    if ! [ -w "$ROOT" ] || { [ -e "$VENV" ] && ! [ -w "$VENV" ]; }; then
        fail "cannot write to $VENV; run this once as the owner of $ROOT"
    fi
    # The directory itself is the lock: nothing to clean up, gone with the processes that hold it.
    # pip inherits it, so that the next run also waits for a pip that outlived a killed script.
    if command -v flock >/dev/null; then
        exec 9<"$ROOT/scripts"
        flock -n 9 || { say "another run is setting up $VENV; waiting for it"; flock 9; }
    fi
    if ! environment_is_ready "$1"; then
        build_environment "$1"
    fi
    exec 9<&-
}

build_environment() {
    say "setting up $VENV (only now, and when requirements change; about a minute)"
    if ! { [ -x "$PYTHON" ] && "$PYTHON" -I -m pip --version; } >/dev/null 2>&1; then
        find_python
        setup_step "$BASE_PYTHON" -I -m venv --clear "$VENV"
    fi
    kind=$1
    set -- -r "$ROOT/scripts/requirements.lock"
    [ "$kind" = runtime ] || set -- "$@" -r "$ROOT/scripts/requirements-dev.lock"
    setup_step "$PYTHON" -I -m pip install --no-deps --require-hashes "$@"
    setup_step "$PYTHON" -I -m pip install --no-deps --no-build-isolation --editable "$ROOT"
    install_window
    # As pip does with what it installs; the first start takes twice as long otherwise.
    quietly "$PYTHON" -I -m compileall -q "$ROOT/protocol" "$ROOT/engine" "$ROOT/frontends" || :
    say_missing_qt_libraries
    write_stamp runtime
    [ "$kind" = runtime ] || write_stamp "$kind"
    say "$VENV is ready"
}

# install_window: the window's packages never keep the engine and the terminal from starting.
# Where there is no PyQt5 for this machine, the system's own is taken.
install_window() {
    rm -f "$VENV/no-window"
    if installed=$(site_packages) && [ -L "$installed/PyQt5" ]; then rm "$installed/PyQt5"; fi
    quietly "$PYTHON" -I -m pip install --no-deps --require-hashes --only-binary :all: \
        -r "$ROOT/scripts/requirements-window.lock" && return 0
    case $log in
    *"No matching distribution"* | *"not a supported wheel"*) ;;
    *) say_failure "installing the window's packages" ;;
    esac
    link_system_window && return 0
    : >"$VENV/no-window"
    say "PyQt5 has no package for this machine, so the window cannot open; the terminal works" \
        "without. On Debian and Ubuntu: apt-get install python3-pyqt5, then start this again"
}

# link_system_window: PyQt5 of the system's own Python, which this environment was made from. A link
# to that one package: nothing else of the system's packages is let in.
link_system_window() {
    found=$("$PYTHON" -I -c 'import subprocess, sys; sys.exit(subprocess.call([
        sys._base_executable, "-I", "-c",
        "import os, PyQt5.QtWidgets; print(os.path.dirname(PyQt5.__file__))"]))' 2>/dev/null) &&
        installed=$(site_packages) && ln -sfn "$found" "$installed/PyQt5"
}

site_packages() {
    "$PYTHON" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null
}

# quietly COMMAND...: what it printed is in $log.
quietly() {
    log=$(PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 "$@" 2>&1)
}

# setup_step COMMAND...: quiet when it works, its last lines when it does not.
setup_step() {
    quietly "$@" || say_failure "$@"
}

# say_failure WHAT...: say what is in $log, and end.
say_failure() {
    printf '%s\n' "$log" | tail -n 15 >&2
    case $log in
    *"Temporary failure in name resolution"* | *"Name or service not known"* | \
        *NewConnectionError* | *"Connection refused"* | *"Network is unreachable"* | \
        *"Connection timed out"* | *ConnectTimeoutError* | *ProxyError*)
        fail "the Python package index cannot be reached; connect to the network (or set up" \
            "pip's index) and run this again"
        ;;
    *"No space left on device"*) fail "the disk is full; make room below $ROOT and run this again" ;;
    esac
    fail "setting up $VENV failed in: $*"
}

# Sets BASE_PYTHON to the first Python that will do; its real path, because a link called
# `python3` may mean another version after the system's next upgrade.
find_python() {
    found=
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        version=$("$name" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
            continue
        found="$found $version"
        "$name" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
        if ! "$name" -I -c 'import ensurepip, venv' 2>/dev/null; then
            no_venv=$version
            continue
        fi
        BASE_PYTHON=$("$name" -I -c 'import os, sys; print(os.path.realpath(sys.executable))')
        return 0
    done
    if [ -n "${no_venv:-}" ]; then
        fail "Python $no_venv is here but cannot make virtual environments; on Debian and Ubuntu:" \
            "apt-get install python$no_venv-venv"
    fi
    fail "Python 3.11 or newer is needed, found:${found:- none}; on Debian and Ubuntu:" \
        "apt-get install python3 python3-venv"
}

# The window needs libraries of the system that no Python package brings. The terminal does not,
# so that this is one sentence and no failure.
say_missing_qt_libraries() {
    missing=$(missing_qt_libraries)
    [ -z "$missing" ] && return 0
    say "the window needs libraries of the system that are not here ($missing); the terminal works" \
        "without. On Debian and Ubuntu: apt-get install $(qt_debian_packages)"
}

missing_qt_libraries() {
    command -v ldd >/dev/null || return 0
    for library in "$VENV"/lib/python3*/site-packages/PyQt5/Qt5/plugins/platforms/libqxcb.so \
        "$VENV"/lib/python3*/site-packages/PyQt5/Qt5/lib/libQt5Widgets.so.5; do
        [ -e "$library" ] && ldd "$library" 2>/dev/null
    done | awk '/not found/ && !seen[$1]++ && ++count <= 4 {
        printf "%s%s", gap, count < 4 ? $1 : "..."; gap = " " }'
}

qt_debian_packages() {
    awk '$2 == "qt" { printf "%s%s", gap, $1; gap = " " }' "$ROOT/scripts/debian-packages.txt"
}
