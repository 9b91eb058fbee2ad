# SPDX-License-Identifier: Apache-2.0
# The manual pages against the programs: what a page says exists, and what exists is said.
load ../helper

page_of() { echo "$BUILD/man/man1/$1.1"; }

# The options that a page describes: the Fl of its list items, "-x" or "--long", a line each.
page_options() {
  awk '/^\.It / && / Fl / {
    flag = 0
    for (i = 2; i <= NF; i++) {
      if ($i == "Fl") flag = 1
      else if ($i ~ /^[A-Z][a-z]$/) flag = 0
      else if (flag && $i !~ /^[,|]$/) print "-" $i
    }
  }' "$(page_of "$1")" | sort -u
}

# The options that a program has, in the same form.
program_options() {
  "$1" __options | cut -f2 | grep '^-' | tr , '\n' | sort -u
}

@test "every program has a page" {
  local program
  for program in $(programs); do
    assert_file_exists "$(page_of "$program")"
  done
}

@test "every option is in its program's page, and every option in the page exists" {
  local program wrong=0
  for program in $(programs); do
    [ -e "$(page_of "$program")" ] || continue
    diff --label "$program has" --label "$program.1 says" -U0 <(program_options "$program") <(page_options "$program") || wrong=1
  done
  assert_equal $wrong 0
}

@test "every subcommand and every environment variable is in its program's page" {
  local program word
  for program in $(programs); do
    [ -e "$(page_of "$program")" ] || continue
    for word in $("$program" __options | cut -f1 | sort -u) $("$program" --help | grep -o 'RACKLINE_[A-Z_]*' | sort -u); do
      assert grep -qw -- "$word" "$(page_of "$program")"
    done
  done
}

@test "every page tells its exit status and has examples" {
  local page
  for page in "$BUILD"/man/man[17]/*; do
    assert grep -q '^\.Sh EXIT STATUS' "$page"
    assert grep -q '^\.Sh EXAMPLES' "$page"
  done
}

@test "every help has a summary, examples and the exit table" {
  local program
  for program in $(programs); do
    run -0 "$program" --help
    assert_output --partial "Examples:"
    assert_output --regexp "  .*$program"
    assert_output --partial "Exit status: 0 done"
    # CLI11's own words for a type or a check are no help to anybody.
    refute_output --partial ':POSITIVE'
    refute_output --partial ':NONNEGATIVE'
    refute_output --regexp '(TEXT|UINT|INT|FLOAT)( |$)'
  done
}

@test "every page tells when it was last changed" {
  local page
  for page in "$BUILD"/man/man*/*; do
    run -0 mandoc -T ascii "$page"
    assert_output --regexp $'\n[^\n]*[A-Z][a-z]+ [0-9]+, 20[0-9][0-9][^\n]*$'
  done
}

@test "mandoc finds nothing to complain about" {
  # That other pages are not installed is no fault of a page.
  run --separate-stderr mandoc -T lint -W style "$BUILD"/man/man*/*
  local complaints
  complaints=$(grep -v 'referenced manual not found' <<<"$output" || true)
  assert_equal "$complaints" ''
}

@test "every page that ours refer to is ours or Debian's" {
  local name section
  while read -r name section; do
    [ -e "$BUILD/man/man$section/$name.$section" ] && continue
    case "$name($section)" in # what other packages bring
    'cron(8)' | 'jq(1)' | 'mdoc(7)' | 'virsh(1)' | 'crontab(5)' | 'systemd.timer(5)' | 'flock(1)' | 'libvirtd(8)' | 'timeout(1)' | 'fence_ipmilan(8)' | 'tee(1)' | 'hbal(1)' | 'zstd(1)' | 'openssl(1)' | 'sudo(8)' | 'tgtadm(8)' | 'stat(1)') ;;
    *) fail "$name($section): there is no such page" ;;
    esac
  done < <(sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' "$BUILD"/man/man*/* | sort -u)
}

@test "every kind and every field of a record is in rackline-records(5)" {
  cd "$BATS_TEST_TMPDIR" || return
  rackline-records | awk '{ print $1 }' >words
  rackline-records --schema | jq -r '.oneOf[].properties | keys_unsorted[]' >>words
  assert [ "$(sort -u words | wc -l)" -gt 100 ]
  mandoc -T ascii "$BUILD/man/man5/rackline-records.5" | sed 's/.\x08//g' | grep -oE '[A-Za-z0-9_]+' | sort -u >page
  run -0 comm -23 <(sort -u words) page
  assert_output ''
}
