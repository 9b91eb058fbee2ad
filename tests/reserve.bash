# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A reader of the ledger that shares nothing with the program but the form of the documents: plain SQL.

# over_granted DB: every pool, resource and instant at which more is held than the pool can grant, and every root of
# which more is granted than it has; nothing when all is well. Sums all claims and loans at every instant there was.
over_granted() {
  sqlite3 -separator ' ' "$1" "
    WITH doc AS (SELECT substr(key, 9, 1) AS what, value AS v FROM entry WHERE key GLOB 'reserve/[clp]/*'),
    pool AS (SELECT json_extract(v, '\$.name') AS name, json_extract(v, '\$.parent') AS parent, r.key AS resource,
        json_extract(r.value, '\$.capacity') * json_extract(r.value, '\$.ratio') / 1000 AS size
      FROM doc, json_each(v, '\$.resources') AS r WHERE what = 'p'),
    own AS (SELECT name, resource, size - coalesce((SELECT sum(c.size) FROM pool c
      WHERE c.parent = pool.name AND c.resource = pool.resource), 0) AS most FROM pool),
    part AS (
      SELECT json_extract(v, '\$.pool') AS pool, a.key AS resource, a.value AS amount, json_extract(s.value, '\$[0]') AS f,
        json_extract(s.value, '\$[1]') AS u FROM doc, json_each(v, '\$.amounts') AS a, json_each(v, '\$.spans') AS s WHERE what = 'c'
      UNION ALL SELECT json_extract(v, '\$.lender'), a.key, a.value, json_extract(s.value, '\$[0]'),
        json_extract(s.value, '\$[1]') FROM doc, json_each(v, '\$.amounts') AS a, json_each(v, '\$.spans') AS s WHERE what = 'l'
      UNION ALL SELECT json_extract(v, '\$.borrower'), a.key, -a.value, json_extract(s.value, '\$[0]'),
        json_extract(s.value, '\$[1]') FROM doc, json_each(v, '\$.amounts') AS a, json_each(v, '\$.spans') AS s WHERE what = 'l'),
    step AS (SELECT pool, resource, at, sum(d) AS d FROM (SELECT pool, resource, f AS at, amount AS d FROM part
      UNION ALL SELECT pool, resource, u, -amount FROM part) GROUP BY pool, resource, at),
    held AS (SELECT pool, resource, at, sum(d) OVER (PARTITION BY pool, resource ORDER BY at) AS sum FROM step),
    whole AS (SELECT resource, at, sum(d) OVER (PARTITION BY resource ORDER BY at) AS sum FROM
      (SELECT resource, at, sum(d) AS d FROM step GROUP BY resource, at))
    SELECT pool, held.resource, at, sum, most FROM held JOIN own ON pool = name AND held.resource = own.resource WHERE sum > most
    UNION ALL SELECT 'all roots', whole.resource, at, sum, (SELECT sum(size) FROM pool p WHERE p.parent IS NULL AND p.resource = whole.resource)
      FROM whole WHERE sum > (SELECT sum(size) FROM pool p WHERE p.parent IS NULL AND p.resource = whole.resource)"
}

# not_in_ledger DB: those of the ids on stdin that are neither reservations nor loans there.
not_in_ledger() {
  local known
  known=$(sqlite3 "$1" "SELECT json_extract(value, '\$.id') FROM entry WHERE key GLOB 'reserve/[cl]/*'" | sort -u)
  comm -23 <(sort -u) <(echo "$known")
}
