import { type KeyObject, verify } from 'node:crypto'
import { type ChainHead, type CheckpointReason, digestLine, nameKey } from './chain.ts'

/** A file of an audit log, line by line, without line ends. */
export interface AuditLines {
  readonly name: string
  readonly lines: readonly Buffer[]
  /** Whether bytes stand behind the last line end. */
  readonly isTorn: boolean
}

export interface VerifyOptions {
  /** Public keys that checkpoints may be signed with. */
  readonly keys: readonly KeyObject[]
  /** Whether the log is still written, so that its end has no signature yet. */
  readonly isOpen: boolean
  /** A record that is known from elsewhere, as the log of the process tells it with each checkpoint. */
  readonly known: Pick<ChainHead, 'seq' | 'digest'> | undefined
}

/** What was found out about an audit log. */
export interface Verification {
  /** Signs that records were changed, removed, added or moved. */
  readonly findings: readonly string[]
  /** Whether the last finding is that the log has no end: that is also so while its process runs. */
  readonly isEndMissing: boolean
  /** What could not be found out. */
  readonly doubts: readonly string[]
  /** What is no sign of a change, and good to know. */
  readonly notes: readonly string[]
  /** How often the log went on although the process before had not closed it. */
  readonly unclosed: number
  readonly records: number
  readonly checkpoints: number
  /** The last record. */
  readonly head: Pick<ChainHead, 'seq' | 'digest'> | undefined
}

interface Line {
  readonly place: string
  readonly bytes: Buffer
  readonly members: Readonly<Record<string, unknown>>
}

interface State {
  readonly options: VerifyOptions
  readonly findings: string[]
  readonly doubts: Set<string>
  readonly notes: string[]
  chain: string | undefined
  /** The key of the last checkpoint: a process keeps its own. */
  keyId: unknown
  /** The line before. */
  last: { readonly seq: number; readonly digest: string; readonly line: Line } | undefined
  unclosed: number
  checkpoints: number
  records: number
  isKnownMet: boolean
}

/** Reasons of the last checkpoint of a file. */
const LEAVING: ReadonlySet<unknown> = new Set<CheckpointReason>(['closed', 'moved', 'rotated'])
const SIGNATURE = /,"signature":"([\w-]{86})"\}$/

/**
 * Verifies a chained audit log.
 *
 * @param files - all that belong together, in any order
 */
export function verifyAuditLog(files: readonly AuditLines[], options: VerifyOptions): Verification {
  const state: State = {
    options,
    findings: [],
    doubts: new Set(),
    notes: [],
    chain: undefined,
    keyId: undefined,
    last: undefined,
    unclosed: 0,
    checkpoints: 0,
    records: 0,
    isKnownMet: options.known === undefined,
  }
  for (const file of sortFiles(files)) {
    checkFile(file, state)
  }
  const isEndMissing = lacksEnd(state)
  const { findings, doubts, notes, unclosed, records, checkpoints, last } = state
  const head = last && { seq: last.seq, digest: last.digest }
  return { findings, isEndMissing, doubts: [...doubts], notes, unclosed, records, checkpoints, head }
}

/** By their first record. */
function sortFiles(files: readonly AuditLines[]): AuditLines[] {
  const firstOf = ({ lines: [first] }: AuditLines): number => Number(first === undefined ? 0 : (parse(first)?.seq ?? 0))
  return files.toSorted((one, other) => firstOf(one) - firstOf(other))
}

function parse(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function checkFile(file: AuditLines, state: State): void {
  const strays = file.lines.flatMap((bytes, index) => (checkLine(bytes, `${file.name}:${index + 1}`, state) ? [] : [index + 1]))
  if (strays.length > 0) state.findings.push(describeStrays(file, strays))
  // A file begins with a signature before anything else is done with it.
  if (file.lines.length === 0) state.findings.push(`${file.name}: holds no record`)
  if (file.isTorn) state.findings.push(`${file.name}: ends within a line`)
}

/** Once for each file: of a file that is no audit log, all lines are such. */
function describeStrays({ name, lines }: AuditLines, [first, ...others]: readonly number[]): string {
  if (lines.length > 1 && others.length + 1 === lines.length)
    return `${name}: is no audit log with a chain: none of its ${lines.length} lines is a record of one`
  const more = others.length === 0 ? '' : `, like ${others.length} other lines up to line ${others.at(-1)}`
  return `${name}:${first}: is no record of a chain${more}`
}

/** @returns whether it is a record of a chain */
function checkLine(bytes: Buffer, place: string, state: State): boolean {
  const members = parse(bytes)
  const seq = members?.seq
  if (members === undefined || typeof seq !== 'number' || !Number.isSafeInteger(seq) || typeof members.prev !== 'string')
    return false
  const line = { place, bytes, members }
  if (state.last === undefined) checkBeginning(line, state)
  else checkLink(line, seq, state.last, state)
  if (members.type === 'checkpoint') checkCheckpoint(line, state)
  else state.records += 1
  const digest = digestLine(bytes)
  checkKnown(place, seq, digest, state)
  state.last = { seq, digest, line }
  return true
}

/** Every file begins with a signed record, so what stands before the first line of the oldest was in files that are not here. */
function checkBeginning({ place, members: { seq, type, reason } }: Line, { findings, notes }: State): void {
  if (type !== 'checkpoint' || reason !== 'opened') findings.push(`${place}: the beginning of the file was cut off`)
  else if (seq !== 0) notes.push(`The first ${seq} records are in earlier files, which were not given or no longer exist.`)
}

function checkLink({ place, members }: Line, seq: number, last: NonNullable<State['last']>, state: State): void {
  const { findings } = state
  const expected = last.seq + 1
  if (seq > expected) findings.push(`${place}: ${seq - expected} records before this one are missing`)
  else if (seq < expected) findings.push(`${place}: does not belong here: record ${seq} behind record ${last.seq}`)
  else if (members.prev !== last.digest) findings.push(`${last.line.place}: was changed, or ${place} was`)
  if (members.type === 'checkpoint' && members.reason === 'opened') checkClosed(last.line, state)
}

/** A process signs before it leaves a file. Where it did not, it was killed, or what it wrote last was cut off: both look the same. */
function checkClosed({ place, members: { type, reason } }: Line, state: State): void {
  if (type === 'checkpoint' && LEAVING.has(reason)) return
  state.unclosed += 1
  state.notes.push(
    `${place}: a process ended here without closing its log, as after a crash; records may have been cut off, or never written.`,
  )
}

function checkCheckpoint({ place, bytes, members }: Line, state: State): void {
  state.checkpoints += 1
  const { chain, reason, key_id: keyId } = members
  if (state.chain !== undefined && chain !== state.chain) state.findings.push(`${place}: is part of another chain`)
  state.chain = String(chain)
  if (state.keyId !== undefined && keyId !== state.keyId && reason !== 'opened')
    state.findings.push(`${place}: names another key than the process that wrote it`)
  state.keyId = keyId
  const key = state.options.keys.find((one) => nameKey(one) === keyId)
  if (key === undefined) {
    state.doubts.add(
      `Signatures of the key ${JSON.stringify(keyId)} cannot be verified: it was not given. If it is lost, so is the proof.`,
    )
    return
  }
  if (!isSigned(bytes.toString(), key)) state.findings.push(`${place}: the signature is wrong`)
}

function isSigned(text: string, key: KeyObject): boolean {
  const [whole, signature] = SIGNATURE.exec(text) ?? []
  if (whole === undefined || signature === undefined) return false
  const bytes = Buffer.from(signature, 'base64url')
  // The last character has bits that decoding drops.
  if (bytes.toString('base64url') !== signature) return false
  return verify(null, Buffer.from(`${text.slice(0, -whole.length)}}`), key, bytes)
}

function checkKnown(place: string, seq: number, digest: string, state: State): void {
  const { known } = state.options
  if (known?.seq !== seq) return
  state.isKnownMet = true
  if (known.digest !== digest) state.findings.push(`${place}: is not the record ${seq} that is known from elsewhere`)
}

/** @returns whether the log has no end although it should */
function lacksEnd(state: State): boolean {
  const { last, findings, notes, options } = state
  if (last === undefined) {
    findings.push('There are no records.')
    return false
  }
  if (!state.isKnownMet) findings.push(`Record ${options.known?.seq}, which is known from elsewhere, is not there.`)
  const { type, reason } = last.line.members
  if (type === 'checkpoint' && reason === 'closed') return false
  const isUnsigned = type !== 'checkpoint'
  if (options.isOpen) {
    if (isUnsigned) notes.push(`The last records have no signature yet: up to ${last.line.place}.`)
    return false
  }
  findings.push(
    `${last.line.place}: is not the end that a process writes when it stops: records were cut off, or the process was killed. If it still writes, use --open.`,
  )
  return true
}
