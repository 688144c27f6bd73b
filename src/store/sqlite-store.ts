import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Clock, systemClock } from '../core/clock.ts'
import { endSentence } from '../core/sentence.ts'
import type { EntryTerms, Store } from '../core/store.ts'
import { cleanPeriodically } from './clean.ts'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS entries (kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, expires_at INTEGER, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires_at);
CREATE INDEX IF NOT EXISTS entries_by_kind ON entries (kind, expires_at);
CREATE TABLE IF NOT EXISTS memberships (grouping TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (grouping, kind, id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS memberships_by_entry ON memberships (kind, id);
CREATE TRIGGER IF NOT EXISTS membership_ends AFTER DELETE ON entries BEGIN DELETE FROM memberships WHERE kind = OLD.kind AND id = OLD.id; END;
`

const LIVE = '(expires_at IS NULL OR expires_at > ?)'
/** How long a write waits for another process that writes. */
const BUSY_MS = 5000

/**
 * Keeps entries in an SQLite file that only its owner can read. Several processes of a machine may share it.
 *
 * @param file - created, with its folder, unless it is there
 * @throws Error when the file cannot be opened or is no database
 */
export function openSqliteStore(file: string, clock: Clock = systemClock): Store {
  const now = () => clock.wall()
  const database = openOrExplain(file)
  const statements = prepare(database)
  const stopCleaning = cleanPeriodically(() => statements.clean.run(now()), clock)
  const write = (kind: string, id: string, value: string, terms: EntryTerms = {}) => {
    statements.remove.run(kind, id)
    statements.insert.run(kind, id, value, terms.expiresAt ?? null)
    for (const group of new Set(terms.groups)) statements.join.run(group, kind, id)
  }
  const find = (kind: string, id: string) => statements.find.get(kind, id, now())?.value as string | undefined
  return {
    isReady: () => true,
    find: async (kind, id) => find(kind, id),
    put: async (kind, id, value, terms) => atomically(database, () => write(kind, id, value, terms)),
    add: async (kind, id, value, terms) =>
      atomically(database, () => {
        if (find(kind, id) !== undefined) return false
        write(kind, id, value, terms)
        return true
      }),
    replace: async (kind, id, expected, value) => statements.replace.run(value, kind, id, expected, now()).changes > 0,
    take: async (kind, id, expected) => statements.take.get(kind, id, expected ?? null, now())?.value as string | undefined,
    deleteGroup: async (group) => void statements.removeGroup.run(group),
    count: async (kind) => Number(statements.count.get(kind, now())?.count),
    list: async (kind, most) => statements.list.all(kind, now(), most) as unknown as { id: string; value: string }[],
    async close() {
      stopCleaning()
      database.close()
    },
  }
}

/** What goes wrong here is about the file, whatever its code: EACCES of a port looks the same. */
function openOrExplain(file: string): DatabaseSync {
  try {
    return open(file)
  } catch (error) {
    throw new Error(
      `store.path: ${endSentence(`the file "${file}" cannot be used: ${error instanceof Error ? error.message : String(error)}`)} Name a database, or a file in a folder that the user of the proxy may write.`,
    )
  }
}

function open(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // Created before SQLite does so, which would leave it readable for a moment. The files that SQLite adds get the same mode.
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
  const database = new DatabaseSync(file)
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
  database.exec('PRAGMA journal_mode = WAL')
  // Whatever was answered to a client is on disk before the answer leaves, even when the machine loses its power.
  database.exec('PRAGMA synchronous = FULL')
  database.exec(SCHEMA)
  return database
}

function prepare(database: DatabaseSync) {
  return {
    find: database.prepare(`SELECT value FROM entries WHERE kind = ? AND id = ? AND ${LIVE}`),
    remove: database.prepare('DELETE FROM entries WHERE kind = ? AND id = ?'),
    insert: database.prepare('INSERT INTO entries (kind, id, value, expires_at) VALUES (?, ?, ?, ?)'),
    join: database.prepare('INSERT INTO memberships (grouping, kind, id) VALUES (?, ?, ?)'),
    replace: database.prepare(`UPDATE entries SET value = ? WHERE kind = ? AND id = ? AND value = ? AND ${LIVE}`),
    take: database.prepare(
      `DELETE FROM entries WHERE kind = ? AND id = ? AND value = ifnull(?, value) AND ${LIVE} RETURNING value`,
    ),
    removeGroup: database.prepare(
      'DELETE FROM entries WHERE (kind, id) IN (SELECT kind, id FROM memberships WHERE grouping = ?)',
    ),
    count: database.prepare(`SELECT count(*) AS count FROM entries WHERE kind = ? AND ${LIVE}`),
    list: database.prepare(`SELECT id, value FROM entries WHERE kind = ? AND ${LIVE} ORDER BY expires_at NULLS LAST LIMIT ?`),
    clean: database.prepare('DELETE FROM entries WHERE expires_at <= ?'),
  }
}

function atomically<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
