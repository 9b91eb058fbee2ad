# SPDX-License-Identifier: Apache-2.0
# Turns each clause that carries a marker into one that the environment switches off:
#     awk -v to=FOLDER -f rewrite.awk FILE...    writes each file into FOLDER, as the compiler is to see it
#     awk -f rewrite.awk FILE...                 writes nothing
# Either way it prints "RULE<tab>FILE:LINE" for each marker, and "FILE:LINE: why" to stderr for what it does not
# understand, which makes its status 1.
#
# A marker is a comment, `// @rule NAME[, NAME...][: VALUE]`. At the end of a line it marks what that line holds; on a
# line of its own, what begins on the next one, however many lines that takes:
#     if (CONDITION) ...               also while: the condition is false
#     STATEMENT;                       is skipped; a declaration cannot be
#     OPERAND &&   OPERAND ||          a line that ends so, or follows one that does: the operand is true of &&, false of ||
# With a VALUE, which is true, false, 0 or {}, the condition or the operand has that one. Two more forms need a VALUE:
#     return EXPRESSION;               returns the value
#     ... = EXPRESSION;                assigns it, or begins with it

FNR == 1 { finish_file(); file = FILENAME; lines = 0 }
{ line[++lines] = $0 }
END { finish_file(); exit bad }

function finish_file(    i, out) {
  if (!lines) return
  text_of_file = "#include \"rule_off.h\"\n#line 1 \"" file "\"\n"
  marked = 0
  for (i = 1; i <= lines; i = next_line) {
    next_line = i + 1
    if (line[i] ~ /@rule/) mark(i)
    else text_of_file = text_of_file line[i] "\n"
  }
  if (to == "") return
  out = to "/" file
  printf "%s", text_of_file >out
  close(out)
}

function refuse(at, why) {
  printf "%s:%d: %s\n", file, at, why >"/dev/stderr"
  bad = 1
}

# The same text with blanks for what strings, characters and comments hold: what is found there is code.
function bare(s,    i, c, out, quote, comment) {
  out = ""
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    if (comment) {
      if (c == "\n") comment = 0; else c = " "
    } else if (quote != "") {
      if (c == "\\") { i++; out = out " " }
      else if (c == quote) quote = ""
      c = " "
    } else if (c == "\"" || (c == "'" && substr(s, i - 1, 1) !~ /[0-9A-Fa-f]/)) {
      quote = c; c = "_"
    } else if (c == "/" && substr(s, i, 2) == "//") {
      comment = 1; c = " "
    }
    out = out c
  }
  return out
}

# Where the code from `from` on first closes what it did not open; 0: nowhere. `semicolon` is then the last one on the
# way outside of any bracket.
function closing(k, from,    i, c, depth) {
  semicolon = 0
  for (i = from; i <= length(k); i++) {
    c = substr(k, i, 1)
    if (c ~ /[([{]/) depth++
    else if (c ~ /[])}]/ && --depth < 0) return i
    else if (c == ";" && depth == 0) semicolon = i
  }
  open_at_end = depth
  return 0
}

# Whether the code has the word outside of any bracket.
function outside(k, word,    i, c, depth) {
  for (i = 1; i <= length(k); i++) {
    c = substr(k, i, 1)
    if (c ~ /[([{]/) depth++
    else if (c ~ /[])}]/) depth--
    else if (!depth && substr(k, i, length(word)) == word) return i
  }
  return 0
}

function trimmed(s) { gsub(/^[ \n]+|[ \n]+$/, "", s); return s }

# The code before line i, without comments.
function before(i,    code) {
  while (--i > 0) {
    code = trimmed(bare(line[i]))
    if (code != "") return code
  }
  return ""
}

function mark(i,    marker, at, names, n, j, above, text, out) {
  at = match(line[i], / *\/\/ @rule [a-z0-9-]+(, [a-z0-9-]+)*(: (true|false|0|\{\}))?$/)
  if (!at) return refuse(i, "a marker is `// @rule NAME[, NAME...][: VALUE]` at the end of the line")
  marker = substr(line[i], RSTART)
  text = substr(line[i], 1, RSTART - 1)
  sub(/^ *\/\/ @rule /, "", marker)
  value = ""
  if (j = index(marker, ": ")) {
    value = substr(marker, j + 2)
    marker = substr(marker, 1, j - 1)
  }
  n = split(marker, names, ", ")
  off = ""
  for (j = 1; j <= n; j++) {
    off = off (j > 1 ? ", " : "") "\"" names[j] "\""
    printf "%s\t%s:%d\n", names[j], file, i
  }
  off = "RULE_OFF(" off ")"
  j = i
  if (text ~ /^ *$/) {
    above = "\n"
    text = line[++j]
    while (!whole(text) && j < lines) text = text "\n" line[++j]
    if (text ~ /@rule/) return refuse(i, "there is a marker within what this one marks")
  }
  out = rewritten(text, before(i))
  if (out == "") return refuse(i, "no form of line that a marker is understood on (tests/rules/rewrite.awk)")
  text_of_file = text_of_file above out "\n"
  next_line = j + 1
}

function whole(text,    k) {
  k = bare(text)
  if (match(k, /^ *(} )?(else )?(if|while) \(/)) return closing(k, RLENGTH + 1)
  closing(k, 1)
  return open_at_end == 0 && k ~ /; *$/
}

# The text with its clause made to depend on `off`; "": it has no form that is known.
function rewritten(text, prev,    k, from, end, operator, begins, body) {
  k = bare(text)
  gsub(/\n/, " ", k)
  begins = prev ~ /([;{}:)]|else)$/
  from = 0
  if (match(k, /^ *(} )?(else )?(if|while) \(/)) {
    from = RLENGTH + 1
    if (end = closing(k, from)) {
      if (semicolon) from = semicolon + 1
      body = trimmed(substr(k, from, end - from))
      if (body ~ /^(const )?auto / || value !~ /^(true|false|)$/) return ""
      return substr(text, 1, from - 1) condition(substr(text, from, end - from), value == "true") substr(text, end)
    }
  }
  operator = k ~ /&& *$/ ? "&&" : k ~ /\|\| *$/ ? "||" : ""
  if (operator != "" || prev ~ /(&&|\|\|)$/) {
    if (value !~ /^(true|false|)$/) return ""
    if (from) ;
    else if (match(k, /^ *return /)) from = RLENGTH + 1
    else if (begins && outside(k, " = ")) from = outside(k, " = ") + 3
    else if (prev ~ /(&&|\|\||=|\()$/) { match(k, /^ */); from = RLENGTH + 1 }
    else return ""
    if (operator != "") end = match(k, / *(&&|\|\|) *$/)
    else {
      operator = substr(prev, length(prev) - 1)
      end = closing(k, from)
      if (semicolon && (!end || semicolon < end)) end = semicolon
    }
    if (end <= from) return ""
    body = substr(k, from, end - from)
    if (closing(body, 1) || open_at_end || outside(body, " ? ") || (operator == "&&" && outside(body, "||"))) return ""
    return substr(text, 1, from - 1) "(" condition(substr(text, from, end - from), value == "" ? operator == "&&" : value == "true") ")" \
      substr(text, end)
  }
  if (k !~ /; *$/ || closing(k, 1) || open_at_end) return ""
  if (value != "") {
    end = match(k, /; *$/)
    if (begins && match(k, /^ *return /)) {
      from = RLENGTH + 1
      return substr(text, 1, from - 1 - length("return ")) "if (" off ") return " value "; else return " substr(text, from)
    }
    if (begins && outside(k, " = ")) from = outside(k, " = ") + 3
    else if (prev ~ /=$/) from = match(k, /[^ ]/)
    else return ""
    body = substr(text, from, end - from)
    return substr(text, 1, from - 1) off " ? std::remove_cvref_t<decltype(" body ")>{" (value == "{}" ? "" : value) "} : (" body ")" \
      substr(text, end)
  }
  if (!begins || k ~ /^ *(const|constexpr|auto|static|struct|class|enum|using|namespace|std::[a-z_]+<.*> [a-z_]+) ?/) return ""
  match(text, /^ */)
  return substr(text, 1, RLENGTH) "if (" off ") {} else " substr(text, RLENGTH + 1)
}

function condition(text, becomes) {
  return becomes ? " " off " || (" trimmed(text) ")" : " !" off " && (" trimmed(text) ")"
}
