// A person at the browser that clients open: allows, signs in, and lets the browser follow to where the client listens.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { signIn } from '../../../demo/browser.ts'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'
import type { User } from '../../../src/sandbox/users.ts'

/** A page that a client opened. */
export interface Visit {
  /** The scopes that the client asked for. */
  readonly scopes: readonly string[]
  readonly clientId: string
}

export interface Person {
  /** Folder with the program that opens a browser, under the names that clients call it by. */
  readonly folder: string
  /** The program itself, for `BROWSER`. */
  readonly browser: string
  readonly visits: readonly Visit[]
  /** What went wrong on the way, in words. */
  readonly failures: readonly string[]
  close(): Promise<void>
}

/** Tells the person's port what is to be opened and returns at once: some clients wait for it before they listen. */
const NOTIFY = (port: number) => `#!${process.execPath}
const address = process.argv.slice(2).find((word) => word.startsWith('http'))
fetch('http://127.0.0.1:${port}/', { method: 'POST', body: address })
`

export async function startPerson(user: User): Promise<Person> {
  const visits: Visit[] = []
  const failures: string[] = []
  const closing = new AbortController()
  const open = async (address: string) => {
    const { searchParams } = new URL(address)
    visits.push({ scopes: searchParams.get('scope')?.split(' ') ?? [], clientId: searchParams.get('client_id') ?? '' })
    await follow(await signIn(address, user), closing.signal)
  }
  const server = createServer(async (request, response) => {
    const address = Buffer.concat(await request.toArray()).toString()
    response.end()
    open(address).catch((error: unknown) => {
      if (!closing.signal.aborted) failures.push(`${address}: ${error}`)
    })
  })
  const port = await listenOnLoopback(server, 0)
  const folder = mkdtempSync(join(tmpdir(), 'browser-'))
  // `xdg-open` is what clients call that do not read BROWSER.
  const browser = join(folder, 'xdg-open')
  writeFileSync(browser, NOTIFY(port))
  chmodSync(browser, 0o755)
  return {
    folder,
    browser,
    visits,
    failures,
    async close() {
      closing.abort()
      await closeServer(server)
      rmSync(folder, { recursive: true })
    },
  }
}

/** Opens the page of the client. This person is quicker than some clients, which open the browser first and listen then. */
async function follow(redirect: URL, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await fetch(redirect, { signal })
      return
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException
      if (code !== 'ECONNREFUSED') throw error
      await wait(50, undefined, { signal })
    }
  }
}
