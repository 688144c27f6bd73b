import { completable, type McpServer, ResourceTemplate } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { SAMPLE_PNG } from './samples.ts'

export function addResources(server: McpServer): void {
  const add = (name: string, mimeType: string, content: { text: string } | { blob: string }) =>
    server.registerResource(name, `test://${name}`, { description: `The resource ${name}`, mimeType }, (uri) => ({
      contents: [{ uri: uri.href, mimeType, ...content }],
    }))
  add('static-text', 'text/plain', { text: 'This is the content of the static text resource.' })
  add('static-binary', 'image/png', { blob: SAMPLE_PNG })
  add('watched-resource', 'text/plain', { text: 'Nothing has happened yet.' })

  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined })
  const metadata = { description: 'Data by id', mimeType: 'application/json' }
  server.registerResource('template', template, metadata, (uri, { id }) => {
    const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
    return { contents: [{ uri: uri.href, mimeType: 'application/json', text }] }
  })
}

/** Lets clients of revisions before 2026-07-28 subscribe to resources; they are told nothing, since none of ours changes. */
export function addSubscriptions({ server }: McpServer): void {
  const subscribed = new Set<string>()
  server.registerCapabilities({ resources: { subscribe: true } })
  server.setRequestHandler('resources/subscribe', ({ params }) => {
    subscribed.add(params.uri)
    return {}
  })
  server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    subscribed.delete(params.uri)
    return {}
  })
}

export function addPrompts(server: McpServer): void {
  const suggest = (value: string) => ['paris', 'park', 'party', 'test'].filter((word) => word.startsWith(value))
  const argument = () => completable(z.string(), suggest)
  const image = { type: 'image' as const, data: SAMPLE_PNG, mimeType: 'image/png' }

  server.registerPrompt('test_simple_prompt', { description: 'A prompt without arguments' }, () =>
    formatPrompt(formatText('This is a simple prompt for testing.')),
  )
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'A prompt with two arguments', argsSchema: z.object({ arg1: argument(), arg2: argument() }) },
    ({ arg1, arg2 }) => formatPrompt(formatText(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  )
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'A prompt around a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri: uri }) => {
      const resource = { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' }
      return formatPrompt({ type: 'resource', resource }, formatText('Please process the embedded resource above.'))
    },
  )
  server.registerPrompt('test_prompt_with_image', { description: 'A prompt around an image' }, () =>
    formatPrompt(image, formatText('Please analyze the image above.')),
  )
}

type PromptContent =
  | { type: 'text'; text: string }
  | { type: 'image'; data: string; mimeType: string }
  | { type: 'resource'; resource: { uri: string; mimeType: string; text: string } }

function formatText(text: string): PromptContent {
  return { type: 'text', text }
}

function formatPrompt(...contents: PromptContent[]) {
  return { messages: contents.map((content) => ({ role: 'user' as const, content })) }
}
