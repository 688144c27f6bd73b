import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIssuer } from '../test/support/tokens.ts'
import { type Child, startChild } from './child.ts'
import { measureAborts } from './limits/aborts.ts'
import { measureClosedStreams } from './limits/closed-streams.ts'
import { startImage } from './limits/image.ts'
import type { Measured, Setting } from './limits/measured.ts'
import { measureOversizedBodies } from './limits/oversized-bodies.ts'
import { measureSlowHeaders } from './limits/slow-headers.ts'
import { measureStalledClients } from './limits/stalled-clients.ts'
import { measureUnknownKeys } from './limits/unknown-keys.ts'
import { measureWorstBodies } from './limits/worst-bodies.ts'
import { createLogSink } from './log-sink.ts'
import { audience, type ProxyArgument } from './plan.ts'
import { mintTokens } from './workload.ts'

/**
 * What the proxy bears: each run prints one line of JSON. Arguments name the runs (`R8`, `R9`, `R11`, `R12`, `R12-rules` where a rule looks at the arguments, `R12-audit` where their digest is recorded, `R13`, `R18`, `R21`); without any, all. Ends
 * with 1 when a run missed its target. With `LIMITS_IMAGE=FOLDER`, `R8` is about the image that `deploy/image/build.ts` wrote there.
 */

const runs: Readonly<Record<string, (setting: Setting) => Promise<Measured>>> = {
  R8: measureClosedStreams,
  R9: measureStalledClients,
  R11: measureOversizedBodies,
  R12: measureWorstBodies,
  'R12-rules': measureWorstBodies,
  'R12-audit': measureWorstBodies,
  R13: measureSlowHeaders,
  R18: measureAborts,
  R21: measureUnknownKeys,
}

/** What the proxy of a run is told besides. */
const folder = mkdtempSync(join(tmpdir(), 'limits-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
const differences: Readonly<Record<string, Partial<ProxyArgument>>> = {
  'R12-rules': { rules: 'expression' },
  'R12-audit': { auditFile: join(folder, 'audit.log') },
}

if (!process.env.LIMITS_IMAGE && !existsSync(new URL('../dist/app.js', import.meta.url)))
  throw new Error('build first: npm run build')
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runs)
let missed = false
for (const name of names) {
  const run = runs[name]
  if (!run) throw new Error(`no run ${name}; there are ${Object.keys(runs).join(', ')}`)
  const result = await withSetting(run, differences[name]).catch((error: unknown): Measured => describeFailure(name, error))
  missed ||= !result.pass
  console.log(JSON.stringify(result))
}
process.exitCode = missed ? 1 : 0

/** A proxy that is gone has failed, and the other runs want their turn. */
function describeFailure(id: string, error: unknown): Measured {
  return { id, target: 'the run comes to its end', measured: { error: String(error) }, pass: false }
}

async function withSetting(
  run: (setting: Setting) => Promise<Measured>,
  difference: Partial<ProxyArgument> = {},
): Promise<Measured> {
  const issuer = await startIssuer({ audience })
  const log = createLogSink()
  const started: Child[] = []
  const keep = async (starting: Promise<Child>): Promise<Child> => {
    const child = await starting
    started.push(child)
    return child
  }
  const start = (...args: Parameters<typeof startChild>): Promise<Child> => keep(startChild(...args))
  try {
    const tokens = await mintTokens(issuer, 100)
    const upstream = await start('upstream.ts')
    const argument = { upstreamPort: upstream.port, issuer: issuer.issuer, ...difference }
    const image = process.env.LIMITS_IMAGE
    const proxy = await (image ? keep(startImage(image, argument)) : start('proxy.ts', { argument, output: log.descriptor }))
    return await run({
      upstream,
      proxy,
      tokens,
      countKeyFetches: () => issuer.requests.filter((path) => path.endsWith('/jwks')).length,
      startTraffic: (callsPerSecond) => start('valid-traffic.ts', { argument: { port: proxy.port, tokens, callsPerSecond } }),
    })
  } finally {
    await Promise.all(started.map((child) => child.stop()))
    log.remove()
    await issuer.close()
  }
}
