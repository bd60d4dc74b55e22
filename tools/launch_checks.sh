# What the scripts that start several processes check before; sourced by them.

fail() {
    echo "error: $1" >&2
    exit 2
}

# need_words SCRIPT COUNT GIVEN NAMES: as many words as the usage names.
need_words() {
    [ "$3" -ge "$2" ] || fail "$1 needs $4; see the first lines of the script"
}

# need_number NAME VALUE: a whole number of at least 1.
need_number() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || fail "$1 must be a whole number of at least 1, got '$2'"
}

# need_file WHAT PATH
need_file() {
    [ -f "$2" ] || fail "$1 not found: $2"
}
