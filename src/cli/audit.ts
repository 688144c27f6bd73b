import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type AuditLines, type Verification, verifyAuditLog } from '../audit/verify.ts'
import { explainReadError } from '../config/source/read-failure.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import type { Arguments } from './arguments.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

const LINE_END = 0x0a
/** More of them say nothing new. */
const MAX_SHOWN = 20

/**
 * `audit verify`: looks for changes in a chained audit log. Lock files, which `audit.jsonl*` names too, are left out.
 *
 * @returns the exit code: 0 when there are none, 1 when there are, 3 when not all could be checked
 * @throws UsageError for files and keys that cannot be read
 */
export function runAuditVerify({ files = [], values, open }: Arguments, terminal: Terminal): 0 | 1 | 3 {
  const [known] = values.get('head') ?? []
  const logs = files.filter((file) => !file.endsWith('.lock'))
  if (logs.length === 0) throw new UsageError('Name the files of the audit log; a .lock file holds no records.')
  const verification = verifyAuditLog(logs.map(readLines), {
    keys: (values.get('key') ?? []).map(readKey),
    isOpen: open,
    known: known === undefined ? undefined : parseHead(known),
  })
  for (const line of formatVerification(verification)) terminal.print(escapeControlCharacters(line))
  const { findings, doubts } = verification
  const isFine = findings.length === 0 && doubts.length === 0
  terminal.print(terminal.paintOutput(isFine ? 'green' : 'red', conclude(verification)))
  if (findings.length > 0) return 1
  return doubts.length > 0 ? 3 : 0
}

function formatVerification({ findings, doubts, notes, records, checkpoints, head }: Verification): string[] {
  const surplus = findings.length - MAX_SHOWN
  return [
    ...findings.slice(0, MAX_SHOWN),
    ...(surplus > 0 ? [`… and ${surplus} more`] : []),
    ...doubts,
    ...notes,
    `${records} records, ${checkpoints} signatures${head === undefined ? '' : `; the last is ${head.seq}:${head.digest}`}`,
  ]
}

function conclude({ findings, isEndMissing, doubts, unclosed, head }: Verification): string {
  if (head === undefined) return NO_RECORD
  if (findings.length === 1 && isEndMissing) return 'The end of the audit log is missing, and nothing else was changed.'
  if (findings.length > 0) return 'The audit log was changed.'
  if (doubts.length > 0) return 'No change was found, but not everything could be checked.'
  return unclosed > 0
    ? 'No change was found, but records that were cut off where a process ended without closing its log leave no trace: compare with the log of the process (--head).'
    : 'The audit log is unchanged.'
}

const NO_RECORD =
  'There is no record of a chain. Name the files of `audit.file`; without `audit.chain`, nothing shows whether an audit log was changed.'

function readLines(file: string): AuditLines {
  const bytes = read(file)
  const lines: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return { name: file, lines, isTorn: start < bytes.length }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new UsageError(`${JSON.stringify(file)} cannot be read: ${explainReadError(error)}.`)
  }
}

/** The private key will do as well: the public one is a part of it. */
function readKey(file: string): KeyObject {
  try {
    const key = createPublicKey(read(file))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (error) {
    if (error instanceof UsageError) throw error
  }
  throw new UsageError(
    `${JSON.stringify(file)} holds no Ed25519 key in PEM. Make it with \`openssl pkey -in audit.key -pubout\`.`,
  )
}

function parseHead(text: string): { seq: number; digest: string } {
  const [, seq, digest] = /^(\d{1,15}):([\w-]{43})$/.exec(text) ?? []
  if (seq === undefined || digest === undefined)
    throw new UsageError(
      '--head is the number and the digest of a record: 1234:q0bG…, as `audit verify` and the log of the process print them.',
    )
  return { seq: Number(seq), digest }
}
