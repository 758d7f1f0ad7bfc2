
# Words after `cargo xtask` are completed by the above, all other words of cargo by what did so before.
__cargo_xtask_hook() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            [+-]*) ;;
            xtask)
                local -a COMP_WORDS=(cargo-xtask "${COMP_WORDS[@]:i+1}")
                local COMP_CWORD=$((COMP_CWORD - i))
                _cargo_xtask cargo-xtask "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
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
