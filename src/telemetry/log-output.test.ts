import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

/** A process whose files may hold 1,000 bytes: what goes beyond is refused, half way through a line, until the file is made short again. */
const program = `
import { ftruncateSync, readFileSync, writeFileSync } from 'node:fs'
import { createLogOutput } from ${JSON.stringify(new URL('./log-output.ts', import.meta.url).href)}
process.on('SIGXFSZ', () => undefined)
const log = createLogOutput(1, Buffer.from)
const line = (name) => JSON.stringify({ name, filler: 'x'.repeat(690) }) + '\\n'
log.write(line('first') + line('torn'))
await log.end()
process.stderr.write('FULL ' + readFileSync('/proc/self/fd/1').length + ' LOST ' + log.lostBytes() + '\\n')
ftruncateSync(1, 800)
log.write('{"name":"next"}\\n')
await log.end()
`

it.runIf(process.platform === 'linux')('begins a new line behind one that broke off when there was no room', () => {
  // bash counts in blocks of 1,024 bytes.
  const script = `ulimit -f 1; f=$(mktemp); exec 1>>"$f"; node --input-type=module -e "$PROGRAM"; cat "$f" >&2; rm "$f"`
  const { stderr } = spawnSync('bash', ['-c', script.replace('node ', `${process.execPath} `)], {
    env: { ...process.env, PROGRAM: program },
    encoding: 'utf8',
  })
  // Of two lines with 1,437 bytes together.
  expect(stderr).toContain('FULL 1024 LOST 413')
  expect(stderr).toContain('The log cannot be written: EFBIG')
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'))
  expect(lines.map((line) => line.slice(0, 15))).toEqual(['{"name":"first"', '{"name":"torn",', '{"name":"next"}'])
})
