import type { Progress } from '@modelcontextprotocol/client'
import type { Narrator } from '../narrator.ts'
import type { Actor, Stage } from './actor.ts'
import { check, readScopes, readText, tell } from './telling.ts'

export async function listTools({ client }: Actor, narrator: Narrator): Promise<void> {
  narrator.step('It asks for the tools')
  narrator.sent('tools/list')
  const { tools } = await client.listTools()
  const isForAdministrators = ({ name }: { name: string }) => name.startsWith('admin_')
  const [closed, open] = [tools.filter(isForAdministrators), tools.filter((tool) => !isForAdministrators(tool))]
  narrator.received(tools.map(({ name }) => name).join(', '))
  narrator.detail('Alice may use', open.map(({ name }) => name).join(', '))
  narrator.detail('needs mcp:admin', closed.map(({ name }) => name).join(', '))
  check(
    tools.some(({ name }) => name === 'echo'),
    'the echo tool must be there',
  )
}

export async function callEcho({ client, wire }: Actor, stage: Stage, narrator: Narrator): Promise<void> {
  narrator.step('It calls a tool that Alice may use')
  wire.clear()
  const text = readText(await client.callTool({ name: 'echo', arguments: { message: 'Hello through the proxy' } }))
  tell(narrator, wire.take('POST', stage.url))
  narrator.detail('answer', text)
  check(text === 'Echo: Hello through the proxy', 'the tool must say back what it was told')
}

export async function watchProgress({ client }: Actor, narrator: Narrator): Promise<void> {
  narrator.step('It calls a slow tool and watches its progress')
  narrator.sent('tools/call count_slowly')
  const steps: number[] = []
  const onprogress = ({ progress, total, message }: Progress) => {
    steps.push(progress)
    narrator.received(`progress ${progress} of ${total}: ${message}`)
  }
  const text = readText(await client.callTool({ name: 'count_slowly', arguments: { steps: 3, step_ms: 150 } }, { onprogress }))
  narrator.received(text)
  check(steps.join() === '1,2,3', 'every step must be reported, in order')
}

export async function readResourceAndPrompt({ client }: Actor, narrator: Narrator): Promise<void> {
  narrator.step('It reads a resource and a prompt')
  narrator.sent('resources/read echo://hello')
  const [content] = (await client.readResource({ uri: 'echo://hello' })).contents
  const text = content !== undefined && 'text' in content ? content.text : ''
  narrator.received(text)
  check(text === 'Resource echo: hello', 'the resource must be read')
  narrator.sent('prompts/get echo')
  const { messages } = await client.getPrompt({ name: 'echo', arguments: { message: 'hello' } })
  narrator.received(messages.map((message) => (message.content.type === 'text' ? message.content.text : '')).join())
  check(messages.length === 1, 'the prompt must be there')
}

export async function callAdminTool({ client, wire }: Actor, stage: Stage, narrator: Narrator): Promise<void> {
  narrator.step('It calls a tool that only administrators may use')
  wire.clear()
  const before = stage.received.requests
  const refusal = await client.callTool({ name: 'admin_reset' }).then(
    () => undefined,
    (error) => error,
  )
  const exchange = wire.take('POST', stage.url)
  tell(narrator, exchange)
  const challenge = exchange.headers.get('www-authenticate') ?? ''
  narrator.detail('WWW-Authenticate', challenge)
  check(refusal !== undefined && exchange.status === 403, 'the call must be refused with 403')
  check(challenge.includes('error="insufficient_scope"'), 'the challenge must say that a scope is missing')
  check(readScopes(challenge).includes('mcp:admin'), 'the challenge must name the scope that is missing')
  check(stage.received.requests === before, 'the refused call must not reach the MCP server')
  narrator.meaning('Alice may use the tools, but not this one. The call never reached the MCP server.')
}
