import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Whether browser tests can run. Under CI nothing may be skipped. */
export function hasChromium(): boolean {
  if (existsSync(PROGRAM)) return true
  if (process.env.CI) throw new Error(`Chromium is missing: ${PROGRAM}. Set CHROMIUM.`)
  console.warn(`skipped: no Chromium at ${PROGRAM}. Set CHROMIUM to run browser tests.`)
  return false
}

export interface OpenBrowser {
  readonly context: BrowserContext
  close(): Promise<void>
}

export interface Looks {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
  /** Whether it goes on whatever the certificate. */
  readonly anyCertificate?: boolean
}

/** Opens a browser with nothing in its memory, that goes nowhere by itself. */
export async function openChromium({
  width = 900,
  height = 760,
  dark = false,
  anyCertificate = false,
}: Looks = {}): Promise<OpenBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'chromium-'))
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: PROGRAM,
    headless: true,
    ignoreHTTPSErrors: anyCertificate,
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  return {
    context,
    async close() {
      await context.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
