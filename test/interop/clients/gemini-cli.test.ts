// Gemini CLI: `/mcp auth` signs in; it calls tools when a model asks for them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../programs.ts'
import type { Environment } from './environment.ts'
import { formatPrompt, type Reply, startModel } from './model.ts'
import packages from './packages.json' with { type: 'json' }
import { run } from './run.ts'
import { describeWalk, type WalkedClient } from './walk.ts'

const program = findProgram('gemini')

/** Google's `streamGenerateContent`. */
const GENERATE_CONTENT = {
  // biome-ignore lint/suspicious/noExplicitAny: what comes is the API of a vendor
  read({ contents = [], tools = [] }: any) {
    const parts = contents.at(-1)?.parts ?? []
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const answered = parts.find(({ functionResponse }: any) => functionResponse !== undefined)
    return {
      // biome-ignore lint/suspicious/noExplicitAny: as above
      tools: tools.flatMap(({ functionDeclarations = [] }: any) => functionDeclarations.map(({ name }: any) => name)),
      prompt: parts.map(({ text = '' }: { text?: string }) => text).join(''),
      result: answered && JSON.stringify(answered.functionResponse.response),
    }
  },
  format({ text, call }: Reply) {
    const part = call === undefined ? { text } : { functionCall: { name: call.name, args: call.parameters } }
    const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 }
    const candidate = { content: { role: 'model', parts: [part] }, finishReason: 'STOP', index: 0 }
    return [JSON.stringify({ candidates: [candidate], usageMetadata })]
  },
}

async function open(environment: Environment): Promise<WalkedClient> {
  const origin = await startModel(GENERATE_CONTENT, environment)
  mkdirSync(join(environment.folder, '.gemini'))
  writeFileSync(join(environment.folder, '.gemini', 'settings.json'), JSON.stringify(createSettings(environment.stage.url)))
  const env = {
    // Without one, it opens no browser.
    DISPLAY: ':1',
    GEMINI_API_KEY: 'none',
    GOOGLE_GEMINI_BASE_URL: origin,
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
    GEMINI_FORCE_FILE_STORAGE: 'true',
  }
  const ask = async (prompt: string, answers: Record<string, string> = {}) => {
    // A model by its name, or another model is asked which one fits.
    const command = [process.execPath, program ?? '', '--yolo', '-m', 'gemini-2.5-flash', '-o', 'stream-json', '-p', prompt]
    return (await run(environment, command, { env, answers })).output
  }
  const signedIn = await ask('/mcp auth example', { '[Y/n]': 'y\n' })
  if (!signedIn.includes('Successfully authenticated')) throw new Error(signedIn)
  return {
    // The model is shown the tools, and says which there are when it is asked for another.
    listTools: async () => (await ask(formatPrompt('no_such_tool', {}))).match(/(?<=\bmcp_example_)\w+/g) ?? [],
    callTool: async (tool, parameters) => {
      const output = await ask(formatPrompt(tool, parameters))
      return { succeeded: /"type":"tool_result".*"status":"success"/.test(output), text: output }
    },
  }
}

function createSettings(url: string) {
  return {
    mcpServers: { example: { httpUrl: url, trust: true } },
    security: { auth: { selectedType: 'gemini-api-key' }, folderTrust: { enabled: false } },
    general: { enableAutoUpdate: false },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
  }
}

describeWalk({ client: 'Gemini CLI', version: packages['@google/gemini-cli'], isThere: program !== undefined, open })
