// Fetch everything under a CID through a trustless gateway with Helia, which checks each block, and report it as JSON:
//   node fetch.mjs <gateway URL> <CID>
// {"blocks": {"<CID recomputed from the bytes>": <size>, ...}} or {"error": "...", "cid": "..."}
import { withHTTP } from '@helia/http'
import * as dagCbor from '@ipld/dag-cbor'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

const DEADLINE = 30_000 // milliseconds a block: Helia would look for ever
const RAW = 0x55

const [gateway, root] = process.argv.slice(2)
const light = createHeliaLight({ codecs: [dagCbor] })
// Gateways are a fallback, which Helia turns to when a router has found nothing.
light.addRouter({ name: 'finds nothing', async * findProviders () {} })
const helia = await withHTTP(light, {
  delegatedRouters: [],
  recursiveGateways: [gateway],
  allowInsecure: true,
  allowLocal: true
}).start()

function links (value) {
  const cid = CID.asCID(value)
  if (cid != null) return [cid]
  if (value == null || typeof value !== 'object' || value instanceof Uint8Array) return []
  return Object.values(value).flatMap(links)
}

async function bytesOf (cid) {
  const found = await helia.blockstore.get(cid, { signal: AbortSignal.timeout(DEADLINE) })
  if (found instanceof Uint8Array) return found
  const pieces = []
  for await (const piece of found) pieces.push(piece)
  return Buffer.concat(pieces)
}

const blocks = {}
const todo = [CID.parse(root)]
let cid
try {
  while ((cid = todo.pop()) != null) {
    if (cid.toString() in blocks) continue
    const bytes = await bytesOf(cid)
    const again = cid.code === RAW ? bytes : dagCbor.encode(dagCbor.decode(bytes))
    blocks[CID.createV1(cid.code, await sha256.digest(again)).toString()] = bytes.length
    if (cid.code !== RAW) {
      const { previous, ...rest } = dagCbor.decode(bytes) // a manifest's predecessor is history
      todo.push(...links(rest))
    }
  }
  console.log(JSON.stringify({ blocks }))
} catch (error) {
  const causes = error.errors?.map(cause => cause.message) ?? []
  console.log(JSON.stringify({ error: [error.message, ...causes].join('; '), cid: cid.toString() }))
}
await helia.stop()
process.exit(0)
