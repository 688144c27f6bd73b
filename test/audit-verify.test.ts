import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAuditLog } from '../src/audit/audit-log.ts'
import { digestLine } from '../src/audit/chain.ts'
import { systemClock } from '../src/core/clock.ts'
import { waitUntil } from './support/processes.ts'
import { type CommandResult, runCommand } from './support/run-command.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const other = generateKeyPairSync('ed25519')
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chain-'))
  for (const [name, key] of [
    ['audit.pub', publicKey],
    ['other.pub', other.publicKey],
  ] as const)
    writeFileSync(join(folder, name), key.export({ type: 'spki', format: 'pem' }))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const path = () => join(folder, 'audit.jsonl')
const listLogs = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('audit.jsonl') && !name.endsWith('.lock'))
    .sort()
    .map((name) => join(folder, name))

const heads: string[] = []

function openLog(bytes = 4096, checkpointSeconds = 60) {
  return openAuditLog({
    plan: {
      target: { kind: 'file', path: path() },
      digestsArguments: true,
      rotation: { bytes, seconds: undefined, keep: undefined },
      fail: 'drop',
      chain: { key: pem, checkpointSeconds },
    },
    clock: systemClock,
    version: '1.0.0',
    onIssue: () => undefined,
    onCheckpoint: (seq, digest) => heads.push(`${seq}:${digest}`),
  })
}

async function writeLog(events: number, bytes?: number): Promise<void> {
  const log = await openLog(bytes)
  for (let index = 0; index < events; index += 1) {
    log.onEvent({ kind: 'sign_in', outcome: 'success', subject: `user-${index}`, detail: 'x'.repeat(100) })
    // Files are set aside between two pieces that are written.
    if (index % 8 === 0) await waitForText(`"user-${index}"`)
  }
  await log.close()
}

const waitForText = (text: string): Promise<void> =>
  waitUntil(() => listLogs().some((file) => readFileSync(file, 'utf8').includes(text)), text)

const verify = (...more: string[]): Promise<CommandResult> =>
  runCommand(['audit', 'verify', ...listLogs(), '--key', join(folder, 'audit.pub'), ...more])

describe('audit verify', () => {
  it('finds nothing in a log that was rotated and continued by another process', async () => {
    await writeLog(40)
    await writeLog(10)
    expect(listLogs().length).toBeGreaterThan(2)
    const result = await verify()
    expect(result.output).toContain('The audit log is unchanged.')
    expect([result.code, result.error]).toEqual([0, ''])
  })

  it('finds each of 150 random edits, cuts, insertions and reorderings', async () => {
    await writeLog(40)
    const logs = listLogs()
    const originals = logs.map((file) => readFileSync(file))
    const restore = (): void => {
      for (const [index, file] of logs.entries()) writeFileSync(file, originals[index] as Buffer)
    }
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...CHANGES), fc.nat(), fc.nat(), fc.nat(logs.length - 1), async ([, change], a, b, at) => {
        restore()
        const before = originals[at] as Buffer
        const after = change(before, a, b)
        fc.pre(!after.equals(before))
        writeFileSync(logs[at] as string, after)
        const { code, output } = await verify()
        expect(code, output).toBe(1)
        expect(output).toMatch(
          /^The audit log was changed\.$|^The end of the audit log is missing, and nothing else was changed\.$/m,
        )
      }),
      { numRuns: 150, examples: [[CHANGES[3] as (typeof CHANGES)[number], 0, 0, 1]] },
    )
  })

  it('finds a file that is missing in the middle or at the end', async () => {
    await writeLog(40)
    const [, ...later] = listLogs()
    // The current file is the last, and the first of the sorted names.
    for (const missing of [listLogs()[0], later[1]]) {
      const text = readFileSync(missing as string)
      rmSync(missing as string)
      expect((await verify()).code).toBe(1)
      writeFileSync(missing as string, text)
    }
  })

  it('finds a record that was changed by someone who computed all later digests anew', async () => {
    await writeLog(5, 1_000_000)
    const lines = readFileSync(path(), 'utf8').trimEnd().split('\n')
    let last = ''
    const forged = lines.map((line, index) => {
      const changed = (index === 3 ? line.replace('user-1', 'user-9') : line).replace(/"prev":"[^"]*"/, `"prev":"${last}"`)
      last = digestLine(changed)
      return changed
    })
    expect(forged[3]).not.toBe(lines[3])
    writeFileSync(path(), `${forged.join('\n')}\n`)
    const { code, output } = await verify()
    expect([code, output]).toEqual([1, expect.stringContaining('the signature is wrong')])
  })

  it('says that a key is missing or lost, and does not call that a change', async () => {
    await writeLog(3)
    for (const key of [[], ['--key', join(folder, 'other.pub')]]) {
      const { code, output } = await runCommand(['audit', 'verify', ...listLogs(), ...key])
      expect([code, output]).toEqual([3, expect.stringContaining('it was not given. If it is lost, so is the proof.')])
    }
  })

  it('takes a log that is still written with --open, and finds by --head what was cut off its end', async () => {
    const log = await openLog()
    log.onEvent({ kind: 'sign_in', outcome: 'success', subject: 'alice' })
    await waitForText('"alice"')
    const running = await verify()
    expect([running.code, running.output]).toEqual([
      1,
      expect.stringContaining('The end of the audit log is missing, and nothing'),
    ])
    const open = await verify('--open')
    expect([open.code, open.output]).toEqual([0, expect.stringContaining('no signature yet')])
    await log.close()
    const known = heads.at(-1) as string
    expect((await verify('--head', known)).code).toBe(0)
    const lines = readFileSync(path(), 'utf8').trimEnd().split('\n')
    writeFileSync(path(), `${lines.slice(0, -1).join('\n')}\n`)
    expect((await verify('--open')).code).toBe(0)
    expect((await verify('--open', '--head', known)).code).toBe(1)
  })

  it('goes on after a crash, and says where that was', async () => {
    await writeLog(3, 1_000_000)
    // As it is after SIGKILL: no last signature, and half a line.
    const lines = readFileSync(path(), 'utf8').trimEnd().split('\n')
    writeFileSync(path(), `${lines.slice(0, -2).join('\n')}\n{"audit":1,"ty`)
    await writeLog(1, 1_000_000)
    const { code, output } = await verify()
    expect([code, output]).toEqual([0, expect.stringContaining('a process ended here without closing its log, as after a crash')])
    expect(output).not.toContain('unchanged')
  })

  it('finds nothing in a log whose file another program moved away', async () => {
    const log = await openLog()
    log.onEvent({ kind: 'sign_in', outcome: 'success', subject: 'alice' })
    await waitForText('"alice"')
    renameSync(path(), `${path()}.1`)
    await waitForText('"reason":"moved"')
    await log.close()
    expect((await verify()).output).toContain('The audit log is unchanged.')
  })

  it.each(['interval', 'opened'])(
    'says where a log was cut back to a signature (%s) and went on, and finds it by --head',
    async (reason) => {
      const log = await openLog(1_000_000, 0.01)
      log.onEvent({ kind: 'sign_in', outcome: 'success', subject: 'alice' })
      await waitForText('"reason":"interval"')
      log.onEvent({ kind: 'sign_in', outcome: 'success', subject: 'mallory' })
      await log.close()
      const known = heads.at(-1) as string
      const lines = readFileSync(path(), 'utf8').split('\n')
      const kept = lines.slice(0, lines.findIndex((line) => line.includes(`"reason":"${reason}"`)) + 1)
      writeFileSync(path(), `${kept.join('\n')}\n`)
      await writeLog(1, 1_000_000)
      const { code, output } = await verify()
      expect(code).toBe(0)
      expect(output).toContain(`audit.jsonl:${kept.length}: a process ended here without closing its log`)
      expect(output).toContain('No change was found, but records that were cut off')
      expect((await verify('--head', known)).code).toBe(1)
    },
  )

  it('takes files of which older ones were deleted, and says so', async () => {
    await writeLog(40)
    rmSync(listLogs()[1] as string)
    const { code, output } = await verify()
    expect([code, output]).toEqual([0, expect.stringContaining('are in earlier files')])
  })

  it('leaves the lock file out, which a shell names with the others', async () => {
    await writeLog(1)
    writeFileSync(`${path()}.lock`, '{"id":"x"}')
    expect((await verify(`${path()}.lock`)).code).toBe(0)
  })

  it('says once of a file that it is no audit log, with the number of its lines', async () => {
    writeFileSync(path(), 'a line of something else\n'.repeat(500))
    const { code, output } = await verify()
    expect(code).toBe(1)
    expect(output.match(/none of its 500 lines is a record/g)).toHaveLength(1)
    expect(output.trimEnd().split('\n').length).toBeLessThan(6)
    expect(output).toContain('without `audit.chain`, nothing shows whether an audit log was changed')
  })

  it('says once for a file how many of its lines are no records, and names the first and the last', async () => {
    await writeLog(3, 1_000_000)
    const [first, ...rest] = readFileSync(path(), 'utf8').split('\n')
    writeFileSync(path(), [first, 'x', 'y', 'z', ...rest].join('\n'))
    const { code, output } = await verify()
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('audit.jsonl:2: is no record of a chain, like 2 other lines up to line 4'),
    ])
    expect(output).toContain('The audit log was changed.')
  })

  it('says what is wrong with its command line (exit code 2)', async () => {
    await writeLog(1)
    for (const argv of [
      ['audit'],
      ['audit', 'verify'],
      ['audit', 'verify', '/no/such/file'],
      ['audit', 'verify', `${path()}.lock`],
      ['audit', 'verify', path(), '--key', path()],
      ['audit', 'verify', path(), '--head', 'x'],
      ['audit', 'verify', path(), '--tool', 'x'],
      ['check', '--open'],
    ]) {
      const { code, error } = await runCommand(argv)
      expect([code, error], argv.join(' ')).toEqual([2, expect.stringMatching(/^error .+\n$/)])
    }
  })
})

type Change = (bytes: Buffer, a: number, b: number) => Buffer

const splitLines = (bytes: Buffer): string[] => bytes.toString('latin1').split('\n').slice(0, -1)
const joinLines = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1')
const onLines =
  (change: (lines: string[], a: number, b: number) => string[]): Change =>
  (bytes, a, b) => {
    const lines = splitLines(bytes)
    return joinLines(change(lines, a % lines.length, b % lines.length))
  }

const CHANGES: readonly (readonly [name: string, change: Change])[] = [
  [
    'a byte is another',
    (bytes, a, b) => Buffer.from(bytes.map((byte, at) => (at === a % bytes.length ? (byte + 1 + (b % 254)) % 256 : byte))),
  ],
  ['a byte is gone', (bytes, a) => Buffer.concat([bytes.subarray(0, a % bytes.length), bytes.subarray((a % bytes.length) + 1)])],
  [
    'a space is added',
    (bytes, a) => Buffer.concat([bytes.subarray(0, a % bytes.length), Buffer.from(' '), bytes.subarray(a % bytes.length)]),
  ],
  ['the end is cut off', (bytes, a) => bytes.subarray(0, a % bytes.length)],
  ['the end is cut off between lines', onLines((lines, a) => lines.slice(0, a))],
  ['the beginning is cut off between lines', onLines((lines, a) => lines.slice(a))],
  ['a line is gone', onLines((lines, a) => lines.toSpliced(a, 1))],
  ['a line is there twice', onLines((lines, a, b) => lines.toSpliced(b, 0, lines[a] ?? ''))],
  ['two lines have changed places', onLines((lines, a, b) => lines.with(a, lines[b] ?? '').with(b, lines[a] ?? ''))],
  ['lines are in the reverse order', onLines((lines) => lines.toReversed())],
  ['a line is empty', onLines((lines, a) => lines.toSpliced(a, 0, ''))],
  [
    'the last line is another signature',
    onLines((lines) => [...lines.slice(0, -1), (lines.at(-1) ?? '').replace(/.(?="\}$)/, (last) => (last === 'A' ? 'B' : 'A'))]),
  ],
]
