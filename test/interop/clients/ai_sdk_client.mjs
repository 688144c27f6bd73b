// A program with the MCP client of the AI SDK. Usage: node ai_sdk_client.mjs LIBRARY URL, where LIBRARY is its package.json.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [library, url] = process.argv.slice(2)
const { auth, createMCPClient } = await import(pathToFileURL(createRequire(library).resolve('@ai-sdk/mcp')).href)

const answers = createServer((request, response) => {
  response.end('You can close this window.')
  answers.emit('answer', new URL(request.url, 'http://localhost').searchParams)
})
answers.listen(0, '127.0.0.1')
await once(answers, 'listening')

/** Registration and tokens in memory. */
const kept = {}
let answer
const provider = {
  redirectUrl: `http://127.0.0.1:${answers.address().port}/callback`,
  clientMetadata: {
    client_name: 'A program with the AI SDK',
    redirect_uris: [`http://127.0.0.1:${answers.address().port}/callback`],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  isClientInformationDynamicallyRegistered: () => true,
  invalidateCredentials: (scope) => {
    for (const name of scope === 'all' ? Object.keys(kept) : [scope]) delete kept[name]
  },
  redirectToAuthorization: (page) => {
    answer = once(answers, 'answer')
    spawn(process.env.BROWSER, [page.href])
  },
}
for (const [name, save, read] of [
  ['tokens', 'saveTokens', 'tokens'],
  ['verifier', 'saveCodeVerifier', 'codeVerifier'],
  ['client', 'saveClientInformation', 'clientInformation'],
  ['server', 'saveAuthorizationServerInformation', 'authorizationServerInformation'],
  ['state', 'saveState', 'storedState'],
]) {
  provider[save] = (value) => {
    kept[name] = value
  }
  provider[read] = () => kept[name]
}
provider.state = () => crypto.randomUUID()

// Signs in where the library says that this is needed, which it leaves to its caller.
if ((await auth(provider, { serverUrl: url })) === 'REDIRECT') {
  const [query] = await answer
  const [authorizationCode, callbackState, callbackIssuer] = ['code', 'state', 'iss'].map((name) => query.get(name))
  await auth(provider, { serverUrl: url, authorizationCode, callbackState, callbackIssuer })
}
const client = await createMCPClient({ transport: { type: 'http', url, authProvider: provider } })

async function say([command, name, parameters]) {
  if (command === 'list') return { tools: (await client.listTools()).tools.map((tool) => tool.name) }
  const { content, isError } = await client.callTool({ name, arguments: JSON.parse(parameters) })
  return isError ? { error: content[0].text } : { text: content[0].text }
}

for await (const line of createInterface(process.stdin)) {
  const [command, name, ...rest] = line.split(' ')
  const said = await say([command, name, rest.join(' ')]).catch((error) => ({ error: String(error) }))
  console.log(JSON.stringify(said))
}
await client.close()
answers.close()
