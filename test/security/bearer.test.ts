import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Arena, checkAttack, fillIn, formatCall, formatRequest, startArena } from '../support/attack.ts'

let arena: Arena

beforeAll(async () => {
  arena = await startArena()
})
afterAll(() => arena.close())

const body = formatCall('echo', 1)
const usual = ['Host: localhost:{port}', 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]

/** A call with these lines and no other Authorization. */
function withLines(...lines: string[]): string {
  return formatRequest(arena, { lines: [...usual, ...lines], body })
}

describe('a request without a usable credential is told how to get one (401), and goes no further', () => {
  const missing: [string, string[]][] = [
    ['no Authorization header', []],
    ['an empty Authorization header', ['Authorization:']],
    ['Bearer alone', ['Authorization: Bearer']],
    ['bearer in small letters, and spaces', ['authorization: bearer  ']],
    ['Bearer and spaces', ['Authorization: Bearer   ']],
    ['an Authorization header of white space', ['Authorization:   \t ']],
    ['Basic', ['Authorization: Basic YWxpY2U6c2VjcmV0LXBhc3N3b3Jk']],
    ['Digest', ['Authorization: Digest username="alice", nonce="x", response="y"']],
    ['Negotiate', ['Authorization: Negotiate YIIZ']],
    ['a scheme that begins like Bearer', ['Authorization: Bearerer {token}']],
    ['a good token as DPoP', ['Authorization: DPoP {token}']],
    ['a good token in Proxy-Authorization', ['Proxy-Authorization: Bearer {token}']],
    ['a good token in a cookie', ['Cookie: access_token={token}; Authorization=Bearer {token}']],
    ['a good token in X-Authorization', ['X-Authorization: Bearer {token}']],
    ['a good token in X-Original-Authorization', ['X-Original-Authorization: Bearer {token}']],
    ['a good token in X-Forwarded-Authorization', ['X-Forwarded-Authorization: Bearer {token}']],
    ['a good token in X-Access-Token', ['X-Access-Token: {token}']],
    ['a good token in Authorization_', ['Authorization_: Bearer {token}']],
    ['a good token in HTTP_AUTHORIZATION', ['HTTP_AUTHORIZATION: Bearer {token}']],
    ['a good token in a header called __proto__', ['__proto__: Bearer {token}']],
    ['a good token in Sec-WebSocket-Protocol', ['Sec-WebSocket-Protocol: bearer, {token}']],
  ]
  it.each(missing)('%s', async (_name, lines) => {
    await checkAttack(arena, withLines(...lines), { status: 401, code: 'token_missing' })
  })

  it.each(['GET', 'HEAD', 'DELETE', 'PUT', 'PATCH', 'TRACE', 'QUERY', 'PROPFIND', 'LINK'])(
    '%s without a token',
    async (method) => {
      const bytes = formatRequest(arena, { method, lines: ['Host: localhost:{port}'] })
      const answer = await checkAttack(arena, bytes, { status: 401, code: 'token_missing' })
      if (method === 'HEAD') expect(answer?.header('www-authenticate')).toMatch(/^Bearer /)
    },
  )

  it('a form body with a good token, where bodies are not configured to hold one', async () => {
    const form = `access_token=${arena.token}&message=${encodeURIComponent(body)}`
    const bytes = formatRequest(arena, {
      lines: [
        'Host: localhost:{port}',
        'Content-Type: application/x-www-form-urlencoded',
        `Content-Length: ${Buffer.byteLength(form)}`,
      ],
      body: form,
    })
    await checkAttack(arena, bytes, { status: 401, code: 'token_missing' })
  })

  it('a JSON body with a good token in it', async () => {
    const json = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', access_token: arena.token, params: { _meta: {} } })
    const bytes = formatRequest(arena, {
      lines: ['Host: localhost:{port}', 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`],
      body: json,
    })
    await checkAttack(arena, bytes, { status: 401, code: 'token_missing' })
  })

  it('a good token in a trailer behind the body', async () => {
    const bytes = fillIn(
      arena,
      [
        'POST /mcp HTTP/1.1',
        'Host: localhost:{port}',
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
        'Trailer: Authorization',
        '',
        body.length.toString(16),
        body,
        '0',
        'Authorization: Bearer {token}',
        '',
        '',
      ].join('\r\n'),
    )
    await checkAttack(arena, bytes, { status: 401, code: 'token_missing' })
  })
})

describe('a token that could be read in two ways is refused (400), whichever part is good', () => {
  const evil = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmlsIn0.AAAAAAAAAAAAAAAA'
  const malformed: [string, string[]][] = [
    ['two Authorization headers, the good one first', ['Authorization: Bearer {token}', `Authorization: Bearer ${evil}`]],
    ['two Authorization headers, the good one last', [`Authorization: Bearer ${evil}`, 'Authorization: Bearer {token}']],
    ['two Authorization headers that are the same', ['Authorization: Bearer {token}', 'Authorization: Bearer {token}']],
    ['two Authorization headers in different letter case', ['authorization: Bearer {token}', `AUTHORIZATION: Bearer ${evil}`]],
    ['Basic beside a good Bearer header', ['Authorization: Basic YWxpY2U6c2VjcmV0', 'Authorization: Bearer {token}']],
    ['an empty Authorization beside a good one', ['Authorization:', 'Authorization: Bearer {token}']],
    [
      'two Authorization headers with others between',
      ['Authorization: Bearer {token}', 'X-A: b', `Authorization: Bearer ${evil}`],
    ],
    ['a tab between Bearer and token', ['Authorization: Bearer\t{token}']],
    ['a space and a tab between Bearer and token', ['Authorization: Bearer \t{token}']],
    ['a no-break space between Bearer and token', ['Authorization: Bearer\u00a0{token}']],
    ['two tokens', ['Authorization: Bearer {token} {token}']],
    ['two credentials in one header', [`Authorization: Bearer {token}, Bearer ${evil}`]],
    ['two credentials in one header without a space', [`Authorization: Bearer ${evil},Bearer {token}`]],
    ['a token in quotes', ['Authorization: Bearer "{token}"']],
    ['a token with a semicolon behind', ['Authorization: Bearer {token};']],
    ['a token with a comma behind', ['Authorization: Bearer {token},']],
    ['a token as a parameter', ['Authorization: Bearer token={token}, realm="x"']],
    ['a percent-encoded space in the token', ['Authorization: Bearer {token}%20']],
    ['a form feed behind the token', ['Authorization: Bearer {token}\u000c']],
    ['a zero-width space in the token', ['Authorization: Bearer {token}\u00e2\u0080\u008b']],
    ['a token with letters beyond ASCII', ['Authorization: Bearer \u00ff{token}']],
    ['a colon behind Bearer', ['Authorization: Bearer: {token}']],
    ['an equals sign before the token', ['Authorization: Bearer ={token}']],
  ]
  it.each(malformed)('%s', async (_name, lines) => {
    const bytes = Buffer.from(withLines(...lines), 'latin1')
    const status = lines.some((line) => line.includes('\u000c'))
      ? { status: 400 }
      : { status: 400, code: 'token_request_malformed' }
    await checkAttack(arena, bytes, status)
  })

  const queries: [string, string][] = [
    ['access_token in the query', 'access_token={token}'],
    ['token in the query', 'token={token}'],
    ['access_token behind others', 'a=1&access_token={token}'],
    ['access_token in capital letters', 'ACCESS_TOKEN={token}'],
    ['access_token percent-encoded', '%61ccess%5Ftoken={token}'],
    ['access_token twice', 'access_token={token}&access_token={token}'],
  ]
  it.each(queries)('%s, alone', async (_name, query) => {
    const bytes = formatRequest(arena, { target: fillIn(arena, `/mcp?${query}`), lines: usual, body })
    await checkAttack(arena, bytes, { status: 400, code: 'token_request_malformed' })
  })
  it.each(queries)('%s, beside a good header', async (_name, query) => {
    const bytes = formatRequest(arena, { target: fillIn(arena, `/mcp?${query}`), body })
    await checkAttack(arena, bytes, { status: 400, code: 'token_request_malformed' })
  })
})

describe('a token that is no token of ours is refused (401)', () => {
  const parts = () => arena.token.split('.') as [string, string, string]
  const wrong: [string, () => string][] = [
    ['one letter', () => 'a'],
    ['two parts', () => parts().slice(0, 2).join('.')],
    ['four dots', () => `${arena.token}.a.b`],
    ['only dots', () => '..'],
    ['an empty payload', () => `${parts()[0]}..${parts()[2]}`],
    ['an empty header', () => `.${parts()[1]}.${parts()[2]}`],
    ['an empty signature', () => `${parts()[0]}.${parts()[1]}.`],
    ['an equals sign behind a good token', () => `${arena.token}=`],
    ['two equals signs behind a good token', () => `${arena.token}==`],
    ['the signature cut by a letter', () => arena.token.slice(0, -1)],
    ['the signature in another spelling of the same bytes', () => respell(arena.token)],
    ['capital and small letters exchanged', () => swapCase(arena.token)],
    ['8 KiB', () => 'a'.repeat(8192)],
    ['8 KiB in three parts', () => `${parts()[0]}.${'a'.repeat(8000)}.${parts()[2]}`],
    ['__proto__', () => '__proto__'],
  ]
  it.each(wrong)('%s', async (_name, token) => {
    // A good one first, so that it is remembered: what is remembered goes by the exact letters.
    await checkAttack(arena, withLines('Authorization: Bearer {token}'), { status: 200, upstream: { body } })
    await checkAttack(arena, withLines(`Authorization: Bearer ${token()}`), { status: 401, code: 'token_invalid' })
  })

  /** base64url leaves bits of the last letter unused: another letter stands for the same bytes. */
  function respell(token: string): string {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const value = letters.indexOf(token.slice(-1))
    const other = token.slice(0, -1) + letters[value ^ 1]
    expect(Buffer.from(other.split('.')[2] ?? '', 'base64url')).toEqual(Buffer.from(parts()[2], 'base64url'))
    return other
  }
  const swapCase = (text: string) =>
    text.replace(/[a-z]/gi, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()))
})

describe('a token of monstrous size is refused before it is parsed', () => {
  it('16 KiB (400 or 431)', async () => {
    const bytes = withLines(`Authorization: Bearer ${'a'.repeat(16 * 1024)}`)
    await checkAttack(arena, bytes, { status: 431 })
  })

  it('1 MiB (431), without reading it', async () => {
    const bytes = withLines(`Authorization: Bearer ${'a'.repeat(1024 * 1024)}`)
    await checkAttack(arena, bytes, { status: 431 })
  })
})

describe('a good token is accepted in every form that RFC 6750 gives it, and stops here', () => {
  const good: [string, string[]][] = [
    ['Bearer', ['Authorization: Bearer {token}']],
    ['bearer', ['Authorization: bearer {token}']],
    ['BEARER', ['authorization: BEARER {token}']],
    ['two spaces (RFC 9110 §11.4 has one or more)', ['Authorization: Bearer  {token}']],
    ['white space behind it', ['Authorization: Bearer {token}  \t']],
    ['white space before the scheme', ['Authorization: \t Bearer {token}']],
    ['Proxy-Authorization beside it', ['Authorization: Bearer {token}', 'Proxy-Authorization: Bearer {token}']],
    [
      'look-alikes of the header beside it',
      ['Authorization: Bearer {token}', 'Authorization_: x', 'X-Authorization: Bearer {token}', 'X-Original-Authorization: x'],
    ],
    ['cookies beside it', ['Authorization: Bearer {token}', 'Cookie: access_token={token}']],
  ]
  it.each(good)('%s', async (_name, lines) => {
    await checkAttack(arena, withLines(...lines), { status: 200, upstream: { body } })
  })

  it('8 KiB long, signed by the issuer', async () => {
    const token = await arena.issuer.mint({ claims: { padding: 'x'.repeat(5500) } })
    arena.secrets.push(token)
    expect(token.length).toBeGreaterThan(7500)
    await checkAttack(arena, withLines(`Authorization: Bearer ${token}`), { status: 200, upstream: { body } })
  })
})

it('answers a preflight without a token, and the upstream hears nothing', async () => {
  const bytes = formatRequest(arena, {
    method: 'OPTIONS',
    lines: [
      'Host: localhost:{port}',
      'Origin: http://localhost:6274',
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: authorization, content-type, x-evil',
    ],
  })
  const answer = await checkAttack(arena, bytes, { status: 204 })
  expect(answer?.header('access-control-allow-origin')).toBe('http://localhost:6274')
  expect(answer?.header('access-control-allow-headers')).not.toContain('x-evil')
})

it('asks for the missing scope (403) of an operation that needs more', async () => {
  const bytes = formatRequest(arena, { body: formatCall('drop_db') })
  await checkAttack(arena, bytes, { status: 403, code: 'scope_insufficient', scope: `db:admin ${baseScopeOfToken}` })
})
const baseScopeOfToken = 'mcp:tools'

describe('where the configuration permits tokens in query and body', () => {
  let permissive: Arena
  beforeAll(async () => {
    permissive = await startArena({ server: { bearer_methods: ['header', 'query', 'body'] } })
  })
  afterAll(() => permissive.close())

  const send = (parts: Parameters<typeof formatRequest>[1]) => formatRequest(permissive, { lines: usual, body, ...parts })

  it('takes it out of the query before the upstream', async () => {
    const bytes = send({ target: `/mcp?a=1&access_token=${permissive.token}&b=2` })
    await checkAttack(permissive, bytes, { status: 200, upstream: { body, url: '/up?a=1&b=2' } })
  })

  it.each(['header', 'body'])('refuses query and %s together', async (other) => {
    const form = `access_token=${permissive.token}&message=${encodeURIComponent(body)}`
    const target = `/mcp?access_token=${permissive.token}`
    const bytes =
      other === 'header'
        ? send({ target, more: ['Authorization: Bearer {token}'] })
        : send({
            target,
            lines: [
              'Host: localhost:{port}',
              'Content-Type: application/x-www-form-urlencoded',
              `Content-Length: ${form.length}`,
            ],
            body: form,
          })
    await checkAttack(permissive, bytes, { status: 400, code: 'token_request_malformed' })
  })

  it('refuses header and body together, also for a token that was just accepted', async () => {
    const form = `access_token=${permissive.token}&message=${encodeURIComponent(body)}`
    const more = ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${form.length}`]
    const lines = ['Host: localhost:{port}', 'Authorization: Bearer {token}', ...more]
    for (let i = 0; i < 2; i++) {
      await checkAttack(permissive, send({ lines, body: form }), { status: 400, code: 'token_request_malformed' })
    }
  })

  const sendForm = (form: string) => {
    const more = ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${form.length}`]
    return send({ lines: ['Host: localhost:{port}', ...more], body: form })
  }

  // Node reads n parameters in a time that grows with n²: those of a body of 4 MiB take minutes, in which no other request is answered.
  it.each(['access_token=wrong&message=1', 'message=1', ''])(
    'refuses a form of more parameters than any client has: %s …',
    async (beginning) => {
      await checkAttack(permissive, sendForm(`${beginning}${'&a'.repeat(1_000_000)}`), {
        status: 400,
        code: 'token_request_malformed',
      })
    },
  )

  it('accepts a form of a thousand parameters', async () => {
    const form = `access_token=${permissive.token}&message=${encodeURIComponent(body)}${'&a=1'.repeat(998)}`
    await checkAttack(permissive, sendForm(form), { status: 200, upstream: { body } })
  })

  it.each([
    ['twice', 'access_token={token}&access_token={token}'],
    ['under a look-alike name', 'Access_Token={token}'],
    ['empty', 'access_token='],
    ['with characters that tokens do not have', 'access_token={token}%00'],
    ['undecodable', 'access_token=%ff{token}'],
  ])('refuses a token in the query %s', async (_name, query) => {
    await checkAttack(permissive, send({ target: fillIn(permissive, `/mcp?${query}`) }), {
      status: 400,
      code: 'token_request_malformed',
    })
  })
})
