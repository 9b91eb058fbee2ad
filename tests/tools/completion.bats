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

# on_terminal SHELL... <<<KEYS: a line of the keys is typed whenever the shell shows its prompt.
on_terminal() {
  local keys
  exec 9<>"$ready" # open all the time: each prompt is told once
  while IFS= read -r keys; do
    read -r -t 60 <&9 && printf '%s\n' "$keys"
  done | timeout 120 script -qec "$*" /dev/null >"$BATS_TEST_TMPDIR/terminal"
  exec 9>&-
}

# in_SHELL LINE...: makes the files $words.1, $words.2 and so on: the words of each LINE once every candidate for its last
# word has been inserted, a line each. One shell answers all of them: to start one takes longer than the answers.
in_bash() {
  cat >"$BATS_TEST_TMPDIR/bashrc" <<END
. /usr/share/bash-completion/bash_completion
PROMPT_COMMAND='echo >$ready'
END
  # M-* inserts all candidates.
  type_lines $'\e*' "$@" |
    XDG_DATA_DIRS=$SHARE on_terminal bash --noprofile --rcfile "$BATS_TEST_TMPDIR/bashrc" -i
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
  type_lines $'\x14' "$@" | ZDOTDIR=$BATS_TEST_TMPDIR/z on_terminal zsh -d -i
}

# The keys that complete each LINE, and make of it a command that writes its words to the LINE's file.
type_lines() { # COMPLETING_KEY LINE...
  local line number=0
  for line in "${@:2}"; do
    printf "%s%s\x05 >%s.%s\x01printf '%%s\\\\n' \n" "$line" "$1" "$words" $((++number))
  done
  echo exit
}

in_fish() {
  # shellcheck disable=SC2016 # fish expands it
  XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/fish timeout 60 fish --no-config -c '
    set fish_complete_path $argv[1]/vendor_completions.d $fish_complete_path
    set fish_function_path $argv[1]/vendor_functions.d $fish_function_path
    set number 0
    for line in $argv[3..]
      set number (math $number + 1)
      complete -C "$line" >$argv[2].$number
    end' "$SHARE/fish" "$words" "$@"
}

# offered_options SHELL: every option that a program has is offered, at its own place on the line.
offered_options() {
  local program subcommand lines=() number=0 missing=0
  for program in $(programs); do
    "$program" __options >"$program.options"
    while IFS= read -r subcommand; do
      lines+=("$program ${subcommand:+$subcommand }-")
    done < <(echo && cut -f1 "$program.options" | sort -u | grep .)
  done
  "in_$1" "${lines[@]}"
  for line in "${lines[@]}"; do
    program=${line%% *} subcommand=${line#* } subcommand=${subcommand%-}
    awk -F '\t' -v s="${subcommand% }" -v before="${line%-}" -v offers="$words.$((++number))" '
      FILENAME == offers { sub(/[[:space:]].*/, ""); offered[$0]; next }
      $1 == s && $2 ~ /^-/ {
        n = split($2, flags, ",")
        for (i = 1; i <= n; i++) if (!(flags[i] in offered)) { print before " does not offer " flags[i]; missing = 1 }
      }
      END { exit missing }' "$words.$number" "$program.options" || missing=1
  done
  return $missing
}

# answers SHELL: subcommands, choices, files, hosts.
answers() {
  offers() { run -0 cat "$words.$1"; }
  "in_$1" "capplan e" "capwatch --output " "capwatch --output=j" "rackline-records --schema vm_mov" \
    "capwatch --inventory ho" "capwatch --inventory=ho" "rackline-records --check a" \
    "capwatch --inventory hosts.jsonl al"
  offers 1
  assert_line --regexp '^evacuate'
  refute_line --regexp '^balance'
  offers 2
  assert_line --regexp '^json'
  assert_line --regexp '^table'
  offers 3
  assert_line --regexp '^--output=json'
  offers 4
  assert_line --regexp '^vm_move'
  assert_line --regexp '^vm_moved'
  offers 5
  assert_line --regexp '^hosts.jsonl'
  offers 6
  assert_line --regexp '^--inventory=hosts.jsonl'
  offers 7
  assert_line --regexp '^a night.jsonl'
  offers 8
  assert_line --regexp '^alpha'
  refute_line --regexp '^beta'
  RACKLINE_INVENTORY=$PWD/hosts.jsonl "in_$1" "capplan evacuate alpha b"
  offers 1
  assert_line --regexp '^beta'
}

@test "bash offers every option of every program" { offered_options bash; }
@test "zsh offers every option of every program" { offered_options zsh; }
@test "fish offers every option of every program" { offered_options fish; }

@test "bash completes subcommands, choices, files and hosts" { answers bash; }
@test "zsh completes subcommands, choices, files and hosts" { answers zsh; }
@test "fish completes subcommands, choices, files and hosts" { answers fish; }

@test "fish and zsh are told what a candidate is" {
  in_fish "capplan ev"
  run -0 cat "$words.1"
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
