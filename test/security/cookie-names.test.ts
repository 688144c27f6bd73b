// Cookies that another site of the domain sets, under names that only look like those of `__Host-` cookies (RFC 6265bis §4.1.3.2).
import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readCookies } from '../../src/broker/pages/secret-cookies.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'

const NAME = '__Host-mcp-session'
const server = createServer((request, response) => void response.end(JSON.stringify(readCookies(request, NAME))))
let origin: string
beforeEach(async () => {
  origin = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
})
afterEach(() => closeServer(server))

const send = async (cookie: string) => (await fetch(origin, { headers: { cookie } })).json()

it.each([
  ['a no-break space', '\u00a0'],
  ['a control character of ISO 8859-1', '\u0085'],
  ['letters', 'x'],
])('takes no cookie for its own whose name has %s in front', async (_title, before) => {
  expect(await send(`a=1; ${before}${NAME}=planted`)).toEqual([])
})

it.each([
  ['behind a blank', `a=1; ${NAME}=own`],
  ['behind none', `a=1;${NAME}=own`],
  ['behind blanks and a tab', `a=1; \t ${NAME}=own`],
  ['with blanks at its end', `${NAME}=own \t; a=1`],
  ['beside a pair that is none', `a; ${NAME}=own;;`],
])('finds its own cookie %s', async (_title, cookie) => {
  expect(await send(cookie)).toEqual(['own'])
})

it('finds all values of a name, also with = in them', async () => {
  expect(await send(`${NAME}=a=b; ${NAME}=`)).toEqual(['a=b', ''])
})
