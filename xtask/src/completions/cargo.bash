
# Words after `cargo xtask` are completed by the above, all other words of cargo by what did so before.
__cargo_xtask_hook() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            [+-]*) ;;
            xtask)
                __cargo_xtask_words
                return
                ;;
            *) break ;;
        esac
    done
    if [[ -z ${__cargo_xtask_before+set} ]]; then
        # bash-completion reads what completes cargo when that is first needed.
        complete -r cargo
        if declare -F _comp_load > /dev/null; then
            _comp_load cargo > /dev/null 2>&1
        elif declare -F _completion_loader > /dev/null; then
            _completion_loader cargo > /dev/null 2>&1
        fi
        __cargo_xtask_take
    fi
    [[ -z $__cargo_xtask_before ]] || "$__cargo_xtask_before" "$@"
}

# The words from `xtask` on. Readline has cut them at colons, of which names of images have one, and shows what comes after.
__cargo_xtask_words() {
    local line=${COMP_LINE:0:COMP_POINT} last=
    [[ $line == *[[:space:]] ]] || last=${line##*[[:space:]]}
    local -a words
    read -ra words <<< "${line%"$last"}"
    while [[ ${words[0]-} != xtask ]]; do
        words=("${words[@]:1}")
    done
    local -a COMP_WORDS=(cargo-xtask "${words[@]:1}" "$last")
    local COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _cargo_xtask cargo-xtask "$last" "${COMP_WORDS[COMP_CWORD - 1]}"
    if [[ $COMP_WORDBREAKS == *:* && $last == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${last%:*}:"}")
    fi
}

# Remembers the function that completes cargo, and takes its place.
__cargo_xtask_take() {
    local before=
    [[ $(complete -p cargo 2> /dev/null) =~ -F\ ([^ ]+) ]] && before=${BASH_REMATCH[1]}
    case $before in
        __cargo_xtask_hook) ;;
        '' | _minimal | _comp_complete_minimal) [[ -z ${1-} ]] && __cargo_xtask_before= ;;
        *) __cargo_xtask_before=$before ;;
    esac
    complete -F __cargo_xtask_hook -o bashdefault -o default cargo
}

__cargo_xtask_take at-first
# bash-completion 2.12 and newer ask for the words after `cargo xtask` so.
complete -F _cargo_xtask -o bashdefault -o default cargo-xtask
