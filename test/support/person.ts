import { createServer } from 'node:http'
import type { Page } from 'playwright-core'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import type { User } from '../../src/sandbox/users.ts'

/** What a person sees and does in a browser. */

export const readHeading = (page: Page): Promise<string | null> => page.locator('h1').textContent()

/** Presses the button of that name. */
export const press = (page: Page, name: RegExp): Promise<void> => page.getByRole('button', { name }).click()

/** Fills in the pages of the sandbox's identity provider. */
export async function signInAtProvider(page: Page, user: User): Promise<void> {
  await page.getByLabel('Name').fill(user.name)
  await page.getByLabel('Password').fill(user.password)
  await press(page, /^Sign in$/)
  await press(page, /^Allow$/)
}

/** Where an MCP client that runs on the person's computer takes its answer. */
export interface Application {
  readonly redirectUri: string
  /** What browsers brought, in order. */
  readonly answers: URLSearchParams[]
  close(): Promise<void>
}

export async function startApplication(): Promise<Application> {
  const answers: URLSearchParams[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    if (url.pathname === '/callback') answers.push(url.searchParams)
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>The application</h1>')
  })
  const port = await listenOnLoopback(server, 0)
  return { redirectUri: `http://localhost:${port}/callback`, answers, close: () => closeServer(server) }
}
