import {
  type Browser,
  createBrowser,
  createRequest,
  openConsentPage,
  type RawClient,
  type RawRequest,
  readJson,
  readRefresh,
  redeem,
  sendConsent,
} from './broker-client.ts'

interface VendorSignIn {
  /** Default: a fresh one. */
  readonly browser?: Browser
  /** Changes to the client's authorization request. */
  readonly changes?: Readonly<Record<string, string | undefined>>
  /** What the user makes of the request to the identity provider in the address bar. */
  readonly edit?: (url: URL) => void
}

/** Allows, and goes to the identity provider, where the user is signed in, and back. Gives the answer to what came back. */
export async function returnFromVendor(
  origin: string,
  client: RawClient,
  { browser = createBrowser(), changes = {}, edit = () => {} }: VendorSignIn = {},
): Promise<{ readonly browser: Browser; readonly request: RawRequest; readonly sent: URL; readonly answer: Response }> {
  const request = createRequest(origin, client, changes)
  const page = await openConsentPage(browser, request.url)
  const sent = new URL(readRefresh(await (await sendConsent(browser, page)).text()))
  edit(sent)
  const back = await browser.open(sent)
  return { browser, request, sent, answer: await browser.open(back.headers.get('location') ?? '') }
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly scope: string
  readonly id_token?: string
}

/** All the way to tokens. */
export async function signInAtVendor(
  origin: string,
  client: RawClient,
  how: VendorSignIn = {},
): Promise<Tokens & { browser: Browser }> {
  const { browser, request, answer } = await returnFromVendor(origin, client, how)
  const end = await browser.open(readRefresh(await answer.text()))
  const redirect = new URL(end.headers.get('location') ?? '')
  const tokens = await redeem(origin, client, { ...request, code: redirect.searchParams.get('code') ?? '', redirect })
  return { ...((await readJson(tokens)) as Tokens), browser }
}
