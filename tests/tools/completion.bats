# SPDX-License-Identifier: Apache-2.0
# What the three shells really offer. bash and zsh run on a terminal and insert every candidate into the line, which
# then is a command that writes its words to a file; fish is asked by its own `complete -C`.
load ../helper

setup_file() {
  DESTDIR=$BATS_FILE_TMPDIR/root cmake --install "$BUILD" --prefix /usr >/dev/null
  # The programs that stand beside the completions are those that answer.
  export SHARE=$BATS_FILE_TMPDIR/root/usr/share PATH=$BATS_FILE_TMPDIR/root/usr/bin:$PATH
}

setup() {
  PATH=$BATS_FILE_TMPDIR/root/usr/bin:$PATH
  cd "$BATS_TEST_TMPDIR" || return
  mkdir -p files && cd files || return
  cat >hosts.jsonl <<'END'
{"kind":"host","host":"alpha","uri":"test:///default"}
{"kind":"host","host":"beta","uri":"test:///default"}
END
  touch 'a night.jsonl'
  ready=$BATS_TEST_TMPDIR/ready words=$BATS_TEST_TMPDIR/words
  mkfifo "$ready"
}

# on_terminal SHELL... <<<KEYS: the keys are typed when the shell has shown its first prompt.
on_terminal() {
  local keys
  keys=$(cat)
  { read -r <"$ready" && printf '%s\n' "$keys"; } | timeout 20 script -qec "$*" /dev/null >"$BATS_TEST_TMPDIR/terminal"
}

# in_SHELL LINE: the words of LINE once every candidate for its last word has been inserted, a line each.
in_bash() {
  cat >"$BATS_TEST_TMPDIR/bashrc" <<END
. /usr/share/bash-completion/bash_completion
PROMPT_COMMAND='echo >$ready'
END
  # M-* inserts all candidates.
  XDG_DATA_DIRS=$SHARE on_terminal bash --noprofile --rcfile "$BATS_TEST_TMPDIR/bashrc" -i <<<"$1"$'\e*\x05'" >$words; exit"$'\x01'"printf '%s\\n' "
  cat "$words"
}

in_zsh() {
  mkdir -p "$BATS_TEST_TMPDIR/z"
  cat >"$BATS_TEST_TMPDIR/z/.zshrc" <<END
fpath=($SHARE/zsh/site-functions \$fpath)
autoload -Uz compinit && compinit -u -d "$BATS_TEST_TMPDIR/z/dump"
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches:*' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert yes
bindkey -e
bindkey '^T' all-matches
precmd() { echo >$ready }
END
  ZDOTDIR=$BATS_TEST_TMPDIR/z on_terminal zsh -d -i <<<"$1"$'\x14\x05'" >$words; exit"$'\x01'"printf '%s\\n' "
  cat "$words"
}

in_fish() {
  # shellcheck disable=SC2016 # fish expands it
  XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/fish timeout 20 fish --no-config -c '
    set fish_complete_path $argv[1]/vendor_completions.d $fish_complete_path
    set fish_function_path $argv[1]/vendor_functions.d $fish_function_path
    complete -C "$argv[2]"' "$SHARE/fish" "$1"
}

# offered_options SHELL: every option that a program has is offered, at its own place on the line.
offered_options() {
  local program subcommand before missing=0
  for program in $(programs); do
    for subcommand in "" $("$program" __options | cut -f1 | sort -u); do
      before="$program ${subcommand:+$subcommand }"
      "in_$1" "$before-" >offered
      "$program" __options | awk -F '\t' -v s="$subcommand" -v before="$before" '
        FILENAME == "offered" { sub(/[[:space:]].*/, ""); offered[$0]; next }
        $1 == s && $2 ~ /^-/ {
          n = split($2, flags, ",")
          for (i = 1; i <= n; i++) if (!(flags[i] in offered)) { print before " does not offer " flags[i]; missing = 1 }
        }
        END { exit missing }' offered - || missing=1
    done
  done
  return $missing
}

# answers SHELL: subcommands, choices, files, hosts.
answers() {
  run -0 "in_$1" "capplan e"
  assert_line --regexp '^evacuate'
  refute_line --regexp '^balance'

  run -0 "in_$1" "capwatch --output "
  assert_line --regexp '^json'
  assert_line --regexp '^table'
  run -0 "in_$1" "capwatch --output=j"
  assert_line --regexp '^--output=json'
  run -0 "in_$1" "rackline-records --schema vm_mov"
  assert_line --regexp '^vm_move'
  assert_line --regexp '^vm_moved'

  run -0 "in_$1" "capwatch --inventory ho"
  assert_line --regexp '^hosts.jsonl'
  run -0 "in_$1" "capwatch --inventory=ho"
  assert_line --regexp '^--inventory=hosts.jsonl'
  run -0 "in_$1" "rackline-records --check a"
  assert_line --regexp '^a night.jsonl'

  run -0 "in_$1" "capwatch --inventory hosts.jsonl al"
  assert_line --regexp '^alpha'
  refute_line --regexp '^beta'
  RACKLINE_INVENTORY=$PWD/hosts.jsonl run -0 "in_$1" "capplan evacuate alpha b"
  assert_line --regexp '^beta'
}

@test "bash offers every option of every program" { offered_options bash; }
@test "zsh offers every option of every program" { offered_options zsh; }
@test "fish offers every option of every program" { offered_options fish; }

@test "bash completes subcommands, choices, files and hosts" { answers bash; }
@test "zsh completes subcommands, choices, files and hosts" { answers zsh; }
@test "fish completes subcommands, choices, files and hosts" { answers fish; }

@test "fish and zsh are told what a candidate is" {
  run -0 in_fish "capplan ev"
  assert_output --regexp $'^evacuate\t.*host'
  run -0 capplan __complete ev
  assert_output --regexp $'^evacuate\t.*host'
}

@test "after -- nothing is an option" {
  run -0 rackline-records __complete -- --ch
  refute_output --partial --check
}

@test "the names of virtual servers come from the hypervisors" {
  local program command flag found=no
  export RACKLINE_INVENTORY=$PWD/hosts.jsonl
  assert_equal "$(capwatch --list vms)" test
  for program in $(programs); do
    while IFS=, read -r command flag; do
      found=yes
      # shellcheck disable=SC2086 # a command of a command is two words
      run -0 "$program" __complete $command "$flag" t
      assert_output test
    done < <("$program" __options | awk -F '\t' '$3 == "VM" { sub(/.*,/, "", $2); print $1 "," $2 }')
  done
  [ $found = yes ] || skip "no program has an option that takes a VM"
}

@test "a broken inventory, or none, offers nothing and says nothing" {
  echo '{"kind":"host"' >broken.jsonl
  run -0 --separate-stderr capwatch __complete --inventory broken.jsonl ''
  assert_output ''
  run -0 --separate-stderr env -u RACKLINE_INVENTORY HOME="$BATS_TEST_TMPDIR" capplan __complete explain ''
  assert_output ''
  # shellcheck disable=SC2154 # set by run
  assert_equal "$stderr" ''
  run -0 --separate-stderr capwatch __complete --inventory - '' <<<'{"kind":"host","host":"typed","uri":"test:///default"}'
  assert_output ''
}
