import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type Arena, checkArrived, checkServes, fillIn, formatCall, startArena } from '../support/attack.ts'
import { openRawConnection } from '../support/raw-client.ts'
import { findVectors } from '../support/vectors.ts'

/** A case of the desync guardian: https://github.com/aws/http-desync-guardian */
interface DesyncCase {
  readonly name: string
  readonly uri: string
  readonly method: string
  readonly version: string
  readonly headers?: readonly { readonly name: string; readonly value: string | number }[] | null
  readonly expected: { readonly tier: 'Compliant' | 'Acceptable' | 'Ambiguous' | 'Severe' }
}

const folder = findVectors('desync')

function loadCases(): [string, DesyncCase][] {
  const files = readdirSync(folder!).filter((file) => file.endsWith('.yaml'))
  return files.flatMap((file) => {
    const cases = parse(readFileSync(join(folder!, file), 'utf8')) as DesyncCase[]
    return cases.map((entry): [string, DesyncCase] => [`${file}: ${entry.name}`, entry])
  })
}

/** What we refuse although it is legal, and why. */
const stricter = new Map([
  ['Different Transfer-Encoding headers', 'codings besides chunked'],
  ['Different Transfer-Encoding headers combined', 'codings besides chunked'],
  ['Transfer-Encoding with a param: chunked;custom_param', 'codings besides chunked'],
  ['Transfer-Encoding: identity and chunked OK', 'codings besides chunked'],
  ['Multiple transfer encoding headers in a single request OK', 'codings besides chunked'],
  ['TE with custom parameters OK', 'codings besides chunked'],
  ['Correct TE OK', 'codings besides chunked'],
  ['Compliant URL', 'a target with a fragment'],
  ['International in URI', 'a target in UTF-8'],
  ['Empty URI', 'no target'],
])

/** A body as the header section has it. */
function contentOf({ headers }: DesyncCase, text: string): string {
  const find = (wanted: string) => (headers ?? []).find(({ name }) => name.toLowerCase() === wanted)?.value
  const length = find('content-length')
  if (length !== undefined) return text.padEnd(Number(length)).slice(0, Number(length))
  if (find('transfer-encoding') !== undefined) return `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
  return ''
}

let arena: Arena

/** The case aimed at our endpoint, with a good token, so that what gets through would arrive. */
function aim({ uri, method, version, headers }: DesyncCase, encoding: BufferEncoding, content: string): Buffer {
  const target = uri.replace(/^\/(foo\/bar|test\.html|endpoint_a)/, '/mcp')
  const own = ['Host: localhost:{port}', 'Authorization: Bearer {token}', 'Content-Type: application/json']
  const lines = (headers ?? [])
    .filter(({ name }) => !/^(authorization|host|content-type)$/i.test(name))
    .map(({ name, value }) => `${name}: ${value}`)
  const start = [method === 'PUT' ? 'POST' : method, target, version].join(' ')
  return Buffer.from(fillIn(arena, `${[start, ...own, ...lines].join('\r\n')}\r\n\r\n${content}`), encoding)
}

/** Characters up to 255 are sent as single bytes too. */
function encodingsOf(entry: DesyncCase): BufferEncoding[] {
  return /[^\0-\xff]/.test(JSON.stringify(entry)) ? ['utf8'] : ['latin1', 'utf8']
}

/** The ways in which somebody could find this text in the body. */
function frame(text: string, { headers }: DesyncCase): string[] {
  const lengths = (headers ?? []).flatMap(({ name, value }) =>
    /content.?length/i.test(name) ? [Number.parseInt(String(value), 10)] : [],
  )
  const padded = lengths.filter((length) => length >= text.length && length < 50_000).map((length) => text.padEnd(length))
  return [`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`, text, ...padded]
}

describe.skipIf(folder === undefined)('the cases of the desync guardian', () => {
  beforeAll(async () => {
    arena = await startArena({ config: { limits: { headers_seconds: 3, body_idle_seconds: 3 } } })
  })
  afterAll(() => arena?.close())

  const body = formatCall('echo', 1)
  const hidden = () =>
    fillIn(arena, 'GET /mcp HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\nX-Hidden: yes\r\n\r\n')

  /** Sends, says that no more will come, and gives back everything that was answered. */
  async function exchange(bytes: Buffer): Promise<string> {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(bytes)
    await Promise.race([connection.closed, connection.readHead().catch(() => undefined)])
    const received = connection.received().toString('latin1')
    connection.destroy()
    return received
  }

  it('are all there', () => {
    expect(loadCases().length).toBeGreaterThanOrEqual(158)
  })

  describe.each(folder === undefined ? [] : loadCases())('%s', (_name, entry) => {
    const { tier } = entry.expected

    if (tier === 'Severe' || tier === 'Ambiguous') {
      it.each([
        ['a call', () => body],
        ['another request', hidden],
      ])(`is refused (${tier}), with %s as its body`, async (_what, text) => {
        const since = arena.upstream.requests.length
        for (const encoding of encodingsOf(entry)) {
          for (const content of frame(text(), entry)) {
            const received = await exchange(aim(entry, encoding, content))
            expect(received).toMatch(/^(HTTP\/1\.1 [45]\d\d |$)/)
          }
        }
        await checkArrived(arena, since, [await checkServes(arena)])
      })
    }

    if (tier === 'Acceptable') {
      it('is answered or refused, and harms no other request', async () => {
        for (const content of ['', ...frame(body, entry)]) {
          expect(await exchange(aim(entry, 'latin1', content))).toMatch(/^(HTTP\/1\.1 [245]\d\d |$)/)
        }
        await checkServes(arena)
      })
    }

    if (tier === 'Compliant') {
      it(stricter.has(entry.name) ? `is refused for ${stricter.get(entry.name)}` : 'is understood', async () => {
        const received = await exchange(aim(entry, 'latin1', contentOf(entry, body)))
        if (stricter.has(entry.name)) expect(received).toMatch(/^HTTP\/1\.1 400 /)
        else expect(received).toMatch(/^HTTP\/1\.1 (200 |404 |413 |415 |400 [\s\S]*"json_invalid")/)
        await checkServes(arena)
      })
    }
  })
})
