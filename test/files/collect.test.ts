import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BuiltFile, fileOf } from '../../src/files/built-file.js'
import { type Collected, collect, type Output, spellAsEmitted, takeSnapshots } from '../../src/files/collect.js'

const onWindows = process.platform === 'win32'

let root: string
let dist: string

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'static-s3-')))
  dist = join(root, 'dist')
  await mkdir(dist)
})
afterEach(() => rm(root, { recursive: true }))

async function write(path: string, content = path, dir = dist): Promise<void> {
  const file = join(dir, ...path.split('/'))
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
}

const output = (known: { dir?: string; emitted?: string[]; fingerprinted?: string[] } = {}): Output => ({
  dir: known.dir ?? dist,
  emitted: new Set(known.emitted),
  fingerprinted: new Set(known.fingerprinted),
})

/** The folder of a fresh build: nothing stood in it before. */
const collectFresh = (outputs = [output()], notOurs: string[] = []) => collect(outputs, new Map(), notOurs)

const paths = ({ files }: Collected) => [...files].map(({ path }) => path)
const left = ({ leftOut }: Collected) => leftOut.map(({ path, reason }) => `${path}: ${reason}`)

describe('a fresh folder', () => {
  it('is collected whole, sorted by path, bundled or not', async () => {
    for (const path of [
      'index.html',
      'assets/b.js',
      'assets/a-BxYz1234.js',
      'favicon.ico',
      '.well-known/x',
      'a/b/c/d.txt',
    ]) {
      await write(path)
    }
    const collected = await collectFresh([
      output({ emitted: ['index.html', 'assets/a-BxYz1234.js'], fingerprinted: ['assets/a-BxYz1234.js'] }),
    ])
    expect(paths(collected)).toEqual([
      '.well-known/x',
      'a/b/c/d.txt',
      'assets/a-BxYz1234.js',
      'assets/b.js',
      'favicon.ico',
      'index.html',
    ])
    expect([...collected.files].filter(({ fingerprinted }) => fingerprinted)).toEqual([
      { path: 'assets/a-BxYz1234.js', dir: dist, emitted: true, fingerprinted: true },
    ])
    expect(collected.leftOut).toEqual([])
  })

  it.each([
    'a b.js',
    ' .js',
    'größe.png',
    'e\u0301.png',
    '日本語/ファイル.js',
    '😀.svg',
    'a+b.js',
    '100%.txt',
    '%2e%2e.txt',
    '#1.txt',
    "it's [id] (1) {a,b}!.js",
    '@scope/~tilde$.js',
    '-rf',
    'no-ending',
    '..well',
    `${'n'.repeat(200)}.js`,
  ])('a file named %j', isCollected)

  it.skipIf(onWindows).each(['what?.txt', 'dot.', 'back\\slash.js', 'line\nbreak.js', 'a:b*c|d"e<f>.js'])(
    'a file named %j (not on Windows, which forbids this name)',
    isCollected,
  )

  async function isCollected(path: string): Promise<void> {
    await write(path)
    const { files, leftOut } = await collectFresh([output({ fingerprinted: [path] })])
    expect([...files]).toEqual([{ path, dir: dist, emitted: false, fingerprinted: true }])
    expect(leftOut).toEqual([])
  }

  it('is sorted by UTF-8 bytes, as keys are', async () => {
    const inOrder = ['a-b.js', 'a.js', 'a/b.js', 'a0.js', '\uff21/x.js', '\u{1f600}/x.js']
    for (const path of inOrder.toReversed()) await write(path)
    expect(paths(await collectFresh())).toEqual(inOrder)
    const two = await collectFresh([output(), output({ dir: join(root, 'none') })])
    expect(paths(two)).toEqual(inOrder)
  })

  it('no files in an empty folder or in empty subfolders', async () => {
    await mkdir(join(dist, 'a/b'), { recursive: true })
    const { files, leftOut } = await collectFresh()
    expect([...files, ...leftOut]).toEqual([])
  })

  it('no files in a missing folder', async () => {
    const { files, leftOut } = await collectFresh([output({ dir: join(root, 'missing') })])
    expect([...files, ...leftOut]).toEqual([])
    const snapshots = await takeSnapshots([join(root, 'missing')])
    expect([...snapshots.keys()]).toEqual([join(root, 'missing')])
    expect(snapshots.get(join(root, 'missing'))?.get('a.js')).toBeUndefined()
  })

  it('2,000 files in deep folders', async () => {
    const deep = Array.from({ length: 40 }, (_, i) => `d${i}`).join('/')
    const all = Array.from({ length: 2000 }, (_, i) => `${i % 2 ? deep : `a/${i % 7}`}/f${i}.js`)
    for (const folder of new Set(all.map((path) => dirname(path)))) await mkdir(join(dist, folder), { recursive: true })
    await Promise.all(all.map((path) => writeFile(join(dist, path), path)))
    expect(paths(await collectFresh())).toEqual(all.toSorted())
  })
})

describe('a folder that was not emptied', () => {
  /** A build: what stands there, what is done, what is collected. */
  async function build(work: () => Promise<void>, known: Partial<Record<'emitted' | 'fingerprinted', string[]>> = {}) {
    const before = await takeSnapshots([dist])
    await work()
    return collect([output(known)], before, [])
  }

  beforeEach(async () => {
    await write('old.js')
    await write('assets/old.png')
  })

  it('files that the build did not write are left out', async () => {
    const collected = await build(() => write('new.js'))
    expect(paths(collected)).toEqual(['new.js'])
    expect(left(collected).sort()).toEqual([
      'assets/old.png: left over from an earlier build',
      'old.js: left over from an earlier build',
    ])
  })

  it.each<[what: string, work: () => Promise<void>]>([
    ['rewritten with other bytes', () => write('old.js', 'other bytes')],
    ['rewritten with the same bytes', () => write('old.js', 'old.js')],
    [
      'rewritten with the same bytes and its old time',
      async () => {
        await write('old.js', 'old.js')
        await utimes(join(dist, 'old.js'), 0, 0)
      },
    ],
    [
      'replaced by a copy',
      async () => {
        await write('copy.js', 'old.js', root)
        await rm(join(dist, 'old.js'))
        await copyFile(join(root, 'copy.js'), join(dist, 'old.js'))
      },
    ],
    [
      'replaced by a file that was moved here',
      async () => {
        await write('moved.js', 'old.js', root)
        await rename(join(root, 'moved.js'), join(dist, 'old.js'))
      },
    ],
  ])('has what was %s', async (_what, work) => {
    // Files of one build and the next are never written within one tick of the file system's clock.
    await new Promise((done) => setTimeout(done, 20))
    expect(paths(await build(work))).toEqual(['old.js'])
  })

  it.each([
    ['main.0123456789abcdef.js', []],
    ['index.html', ['assets/old.png', 'old.js']],
    ['other.0123456789abcdef.js', ['assets/old.png', 'old.js', 'other.0123456789abcdef.js']],
  ])('has files that were put there for the build, if no earlier build wrote there: %s', async (path, collected) => {
    await write(path)
    const emitted = ['index.html', 'main.fedcba9876543210.js']
    const work = async () => void (await Promise.all(emitted.map((each) => write(each, 'new'))))
    const found = await build(work, { emitted, fingerprinted: emitted.slice(1) })
    expect(paths(found)).toEqual([...emitted, ...collected].sort())
  })

  it.each([
    ['main.js', ['index.html', 'main.js'], []],
    ['index.html', ['index.html', 'main.js'], ['assets/old.png', 'old.js']],
    ['index.html', ['index.html', 'about.html'], []],
  ])('and without fingerprints: %s, for a build that emits %j', async (path, emitted, collected) => {
    await write(path)
    const work = async () => void (await Promise.all(emitted.map((each) => write(each, 'new'))))
    expect(paths(await build(work, { emitted }))).toEqual([...emitted, ...collected].sort())
  })

  it('a file that the bundler names is collected, even if it was not written again', async () => {
    const collected = await build(async () => {}, { emitted: ['old.js'], fingerprinted: ['old.js'] })
    expect([...collected.files]).toEqual([{ path: 'old.js', dir: dist, emitted: true, fingerprinted: true }])
    expect(left(collected)).toEqual(['assets/old.png: left over from an earlier build'])
  })

  it('all files are collected if the folder was emptied first', async () => {
    await new Promise((done) => setTimeout(done, 20))
    const collected = await build(async () => {
      await rm(dist, { recursive: true })
      await write('old.js')
      await write('assets/old.png')
    })
    expect(paths(collected)).toEqual(['assets/old.png', 'old.js'])
  })

  it('the list of files left out has the same order every time', async () => {
    for (const path of ['z.js', 'm/b.js', 'm/a.js', 'b.js']) await write(path)
    const { leftOut } = await build(async () => {})
    const order = leftOut.map(({ path }) => path)
    expect(order).toEqual(order.toSorted())
  })
})

describe('several outputs', () => {
  it('into one folder: each file once, known by any of them', async () => {
    for (const path of ['a.js', 'b.js', 'shared.css']) await write(path)
    const collected = await collectFresh([
      output({ emitted: ['a.js', 'shared.css'], fingerprinted: ['a.js'] }),
      output({ emitted: ['b.js', 'shared.css'], fingerprinted: ['b.js'] }),
    ])
    expect([...collected.files].map(({ path, fingerprinted }) => `${path} ${fingerprinted}`)).toEqual([
      'a.js true',
      'b.js true',
      'shared.css false',
    ])
    expect(collected.leftOut).toEqual([])
  })

  it('one inside another: its files once, under its own paths', async () => {
    await write('index.html')
    await write('legacy/old.js')
    await write('legacy/deep/er.js')
    const legacy = join(dist, 'legacy')
    for (const outputs of [
      [output(), output({ dir: legacy, fingerprinted: ['old.js'] })],
      [output({ dir: legacy, fingerprinted: ['old.js'] }), output()],
    ]) {
      const { files, leftOut } = await collectFresh(outputs)
      expect([...files]).toEqual([
        { path: 'deep/er.js', dir: legacy, emitted: false, fingerprinted: false },
        { path: 'index.html', dir: dist, emitted: false, fingerprinted: false },
        { path: 'old.js', dir: legacy, emitted: false, fingerprinted: true },
      ])
      expect(leftOut).toEqual([])
    }
  })

  it('beside each other, with a name in common: the first one has it', async () => {
    const [one, two] = [join(root, 'one'), join(root, 'two')]
    await write('app.js', 'one', one)
    await write('app.js', 'two', two)
    await write('only.js', 'two', two)
    const collected = await collectFresh([output({ dir: one }), output({ dir: two })])
    expect([...collected.files].map((file) => normalize(fileOf(file)))).toEqual([
      join(one, 'app.js'),
      join(two, 'only.js'),
    ])
    expect(left(collected)).toEqual(['app.js: name taken by another output'])
  })

  it('with leftovers in each', async () => {
    const [one, two] = [join(root, 'one'), join(root, 'two')]
    for (const dir of [one, two]) await write('old.js', 'old', dir)
    const before = await takeSnapshots([one, two, one])
    await write('one.js', '1', one)
    await write('two.js', '2', two)
    const collected = await collect([output({ dir: one }), output({ dir: two })], before, [])
    expect(paths(collected)).toEqual(['one.js', 'two.js'])
    expect(left(collected)).toEqual([
      'old.js: left over from an earlier build',
      'old.js: left over from an earlier build',
    ])
    // Of many files it would be much to keep in memory.
    expect(before.size).toBe(0)
  })
})

describe('names that a bundler gives', () => {
  it.each(['../pages/index.html', '..\\pages\\index.html', '../dist-private/app.js'])(
    '%s: what lies outside of the folder is not collected, and is told',
    async (path) => {
      await write('app.js')
      await write('pages/index.html', 'page', root)
      await write('dist-private/app.js', 'private', root)
      const collected = await collectFresh([output({ emitted: ['app.js', path], fingerprinted: [path] })])
      expect(paths(collected)).toEqual(['app.js'])
      expect(left(collected)).toEqual([`${path}: outside of the output folder`])
    },
  )

  it('names that begin with two dots are collected', async () => {
    const names = ['..app.js', 'x..', '.../x.js', '%2e%2e/x.js']
    for (const path of names) await write(path)
    const collected = await collectFresh([output({ emitted: names })])
    expect(paths(collected)).toEqual(names.toSorted())
    expect(left(collected)).toEqual([])
  })
})

const pem = (type: string) => `-----BEGIN ${type}-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END ${type}-----\n`

describe('a file that looks like a private key or a source map', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  // Of OpenSSL: `req -x509`, `req` and `ca -gencrl`.
  const certificate =
    'MIIBbjCCAROgAwIBAgIUJgkz1K3lCVyEkWQGCS/deDIl3pIwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjgyMDQwMTFaFw0yNjEyMDcyMDQwMTFaMAwxCjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASM4c2WppZuwUMlCCFbGQG4ftN2eHddLk+8yg8A5XZ1geZrdpLmGkZ/uQBAJslbk/Cen3YJceP6gzOKgFA0I5oHo1MwUTAdBgNVHQ4EFgQUTHRNTXnqHv0/I3rWu00vV14CMg0wHwYDVR0jBBgwFoAUTHRNTXnqHv0/I3rWu00vV14CMg0wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEApXJ9Kw8Q5q595z+X7iZsN0k33yC9SRyFDnFPcQx0usACIQDuMhv7CRrPt/97L5ZrH+olX55obj9efst0JX2VP7uPBQ=='
  const request =
    'MIHHMG4CAQAwDDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIzhzZamlm7BQyUIIVsZAbh+03Z4d10uT7zKDwDldnWB5mt2kuYaRn+5AEAmyVuT8J6fdglx4/qDM4qAUDQjmgegADAKBggqhkjOPQQDAgNJADBGAiEAu83LFg2yD3QelAt43JVkRQS4ZWwuQcrK5VEz+0johKACIQC62rZwnJ4nTTjyNpiPH3Fl1Yd5+KY0IyvNX1hFK4DRVw=='
  const revocations =
    'MIGjMEsCAQEwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBYRcNMjYxMTI4MjA0MDExWhcNMjYxMjA3MjA0MDExWqAOMAwwCgYDVR0UBAMCAQEwCgYIKoZIzj0EAwIDSAAwRQIhAJkTBieWRWx6YWYY/nlrUCaiQ2m83Zlfervpo+qBjs6DAiBSit0UEFg8KhM4nlIfcXN5Xy5YPVoEVgckSH3KPHfrYA=='
  const der = (type: 'pkcs8' | 'sec1', more: object = {}) => privateKey.export({ format: 'der', type, ...more })

  it.each<[path: string, content: string | Buffer, kind: BuiltFile['kind']]>([
    ['server.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }), 'private key'],
    ['server.key', privateKey.export({ format: 'pem', type: 'sec1' }), 'private key'],
    ['server.PEM', `${pem('CERTIFICATE')}${pem('RSA PRIVATE KEY')}`, 'private key'],
    ['bag.pem', `Bag Attributes\r\n    localKeyID: 01\r\n${pem('ENCRYPTED PRIVATE KEY')}`, 'private key'],
    ['server.key.bak', pem('PRIVATE KEY'), 'private key'],
    ['id_rsa', pem('RSA PRIVATE KEY'), 'private key'],
    ['id_ed25519_work', pem('OPENSSH PRIVATE KEY'), 'private key'],
    ['ssh_host_rsa_key', pem('OPENSSH PRIVATE KEY'), 'private key'],
    ['mail.asc', pem('PGP PRIVATE KEY BLOCK'), 'private key'],
    ['x.ppk', 'PuTTY-User-Key-File-3: ssh-ed25519\r\n', 'private key'],
    ['AuthKey_ABC.p8', pem('PRIVATE KEY'), 'private key'],
    ['a.der', der('pkcs8'), 'private key'],
    ['b.der', der('sec1'), 'private key'],
    ['c.p8', der('pkcs8', { cipher: 'aes-256-cbc', passphrase: 'x' }), 'private key'],
    ['a.p12', Buffer.from('308209d9020103308209', 'hex'), 'private key'],
    ['b.pfx', Buffer.from('3080020103308006', 'hex'), 'private key'],
    ['a.jks', Buffer.from('feedfeed00000002', 'hex'), 'private key'],
    ['b.keystore', Buffer.from('cececece00000002', 'hex'), 'private key'],
    ['master.key', '9f86d081884c7d659a2feaa0c55ad015\n', 'private key'],
    ['wg.key', 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=', 'private key'],
    ['age.key', 'AGE-SECRET-KEY-1QJEPWPNY7Q7E5SYZRLS9QJAKQ9JMZ5E9X', 'private key'],
    [
      'keys.key',
      `# created: 2026-01-01\n# public key: age1ql3z7hjy\nAGE-SECRET-KEY-1QJEPWPNY7Q7E5SYZRLS9QJAKQ9JMZ5E9X\n`,
      'private key',
    ],
    ['minisign.key', 'untrusted comment: minisign encrypted secret key\nRWRTY0IyqF1aVYzvJr4DZ\n', 'private key'],
    ['tauri.key', Buffer.alloc(261, 'tauri').toString('base64'), 'private key'],
    [
      'vpn.key',
      '-----BEGIN OpenVPN Static key V1-----\n6acef03f62675b4b\n-----END OpenVPN Static key V1-----\n',
      'private key',
    ],
    ['vpn.pem', `${pem('CERTIFICATE')}-----BEGIN OpenVPN Static key V1-----\n6acef03f\n`, 'private key'],
    ['raw.key', Buffer.from('9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015', 'hex'), 'private key'],
    ['wrapped.key', 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYU\nIgJBgB3fBmk=\n', 'private key'],
    ['laravel.key', 'base64:yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=', 'private key'],
    ['bc.keystore', Buffer.from('000000020000001400', 'hex'), 'private key'],
    ['jwk.key', '{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}', 'private key'],
    ['key.p8', Buffer.from(pem('CERTIFICATE'), 'utf16le'), 'private key'],
    ['text.pem', `Private-Key: (256 bit)\npriv:\n    00:11\n${pem('PUBLIC KEY')}`, 'private key'],
    ['backup.asc', pem('PGP MESSAGE'), 'private key'],
    ['id_rsa.txt', 'secret', 'private key'],
    ['id_rsa.png', pem('RSA PRIVATE KEY'), 'private key'],
    ['archive.p12', Buffer.from('504b03041400000008000000', 'hex'), 'private key'],
    ['bundle.pem', `${pem('CERTIFICATE').repeat(5000)}${pem('PRIVATE KEY')}`, 'private key'],
    ['large.key', Buffer.alloc(600_000, 'PK'), 'private key'],
    // The outlines of RFC 5958's list of keys and of an encrypted keystore.
    ['list.der', Buffer.from('30163014020100300506032b65700408aabbccddeeff0011', 'hex'), 'private key'],
    ['bcfks.der', Buffer.from('3011300b300706052a864886f7040030023000', 'hex'), 'private key'],
    ['main.map', '{"version":3,"sources":["a.ts"],"mappings":"AAAA"}', 'source map'],
    ['b.map', ')]}\'\n{ "version" : 3 }', 'source map'],
    ['server.key.gz', gzipSync(pem('PRIVATE KEY')), 'private key'],
    ['server.KEY.BR', brotliCompressSync(pem('PRIVATE KEY')), 'private key'],
    ['id_rsa.gz', gzipSync(pem('RSA PRIVATE KEY')), 'private key'],
    ['cut.pem.gz', gzipSync(pem('CERTIFICATE')).subarray(0, 40), 'private key'],
    ['bomb.pem.gz', gzipSync(Buffer.alloc(40_000_000)), 'private key'],
    ['not-compressed.pem.br', pem('CERTIFICATE'), 'private key'],
    // Public, or something else.
    ['cert.pem.gz', gzipSync(pem('CERTIFICATE')), undefined],
    ['cert.pem.br', brotliCompressSync(pem('CERTIFICATE')), undefined],
    ['id_rsaurus.png.gz', gzipSync('png'), undefined],
    ['terrain.asc.gz', gzipSync('ncols 4\nnrows 6\nxllcorner 0.0\n'), undefined],
    ['scan.asc.gz', Buffer.alloc(4_200_000), undefined],
    ['keys.tar.gz', gzipSync(pem('PRIVATE KEY')), undefined],
    ['ca/root.pem', pem('CERTIFICATE'), undefined],
    ['public.pem', publicKey.export({ format: 'pem', type: 'spki' }), undefined],
    ['public.der', publicKey.export({ format: 'der', type: 'spki' }), undefined],
    ['pkcs1.der', rsa.publicKey.export({ format: 'der', type: 'pkcs1' }), undefined],
    ['cert.der', Buffer.from(certificate, 'base64'), undefined],
    ['request.der', Buffer.from(request, 'base64'), undefined],
    ['crl.der', Buffer.from(revocations, 'base64'), undefined],
    // The outlines of a certificate without a version, and of a long revocation list.
    ['v1.der', Buffer.from('3011300b020105300030003000300030000300', 'hex'), undefined],
    [
      'long.der',
      Buffer.concat([Buffer.from('30830fffff30830fff00020101300030001700', 'hex'), Buffer.alloc(300_000)]),
      undefined,
    ],
    ['chain.pem', `# Root\r\n${pem('CERTIFICATE').replaceAll('\n', '\r\n')}${pem('TRUSTED CERTIFICATE')}`, undefined],
    ['ca-bundle.pem', pem('CERTIFICATE').repeat(5000), undefined],
    ['request.pem', pem('CERTIFICATE REQUEST'), undefined],
    ['new.pem', pem('NEW CERTIFICATE REQUEST'), undefined],
    ['crl.pem', pem('X509 CRL'), undefined],
    ['rsa.pem', pem('RSA PUBLIC KEY'), undefined],
    ['dh.pem', pem('DH PARAMETERS'), undefined],
    ['ssh2.key', '---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n', undefined],
    ['id_ed25519.pub', '# mine\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI user@host\n', undefined],
    ['id_ecdsa-cert.pub', 'ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNh\n', undefined],
    [
      'checksums.asc',
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nab  a.zip\n${pem('PGP SIGNATURE')}`,
      undefined,
    ],
    ['terrain.asc', 'ncols 4\nnrows 6\nxllcorner 0.0\n', undefined],
    ['id_rsa.pub', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ user@host', undefined],
    ['id_rsaurus.png', 'png', undefined],
    ['mail.asc', pem('PGP PUBLIC KEY BLOCK'), undefined],
    ['release.asc', pem('PGP SIGNATURE'), undefined],
    // A presentation is a ZIP archive.
    ['slides.key', Buffer.from('504b03041400000008000000', 'hex'), undefined],
    ['big.key', Buffer.concat([Buffer.from('504b0304', 'hex'), Buffer.alloc(600_000)]), undefined],
    ['empty.key', '', undefined],
    ['level1.map', '{"width":10,"version":3}', undefined],
    ['level2.map', Buffer.from([0, 1, 2]), undefined],
    // Documentation: not opened.
    ['how-to.txt', pem('PRIVATE KEY'), undefined],
    ['notes.js', pem('PRIVATE KEY'), undefined],
  ])('%s', async (path, content, kind) => {
    await mkdir(dirname(join(dist, path)), { recursive: true })
    await writeFile(join(dist, path), content)
    expect((await collectFresh()).files).toEqual([{ path, dir: dist, emitted: false, fingerprinted: false, kind }])
  })
})

describe('on a disk that ignores case or changes the Unicode form', () => {
  const spell = (listed: string[], emitted: string[], isThere = true) => {
    const entries = listed.map((path) => ({ path, target: path }))
    const changed = spellAsEmitted(entries, new Set(emitted), () => isThere)
    expect(entries.every(({ path, target }) => path === target)).toBe(true)
    expect(changed).toBe(entries.some(({ path }, i) => path !== listed[i]))
    return entries.map(({ path }) => path)
  }

  it.each<[what: string, listed: string[], emitted: string[], paths: string[]]>([
    ['over an older one', ['logo.png', 'x.js'], ['Logo.png'], ['Logo.png', 'x.js']],
    ['in an older folder', ['Assets/a.js', 'Assets/old.js'], ['assets/a.js'], ['assets/a.js', 'Assets/old.js']],
    ['with another Unicode form', ['e\u0301.png'], ['\u00e9.png'], ['\u00e9.png']],
    ['of two that differ in case', ['logo.png'], ['Logo.png', 'logo.png'], ['logo.png']],
    ['spelt as on the disk', ['Logo.png'], ['Logo.png'], ['Logo.png']],
    // The bundler does not know them: a URL has the name as its author wrote it, or none.
    ['that was copied', ['Logo.png', 'E\u0301.png'], ['a.js'], ['Logo.png', 'E\u0301.png']],
  ])("a file %s gets the bundler's spelling, if it has one", (_what, listed, emitted, paths) => {
    expect(spell(listed, emitted)).toEqual(paths)
  })

  it('on any other disk, the bundler has deleted its file, and this is another one', async () => {
    expect(spell(['logo.png'], ['Logo.png'], false)).toEqual(['logo.png'])
    await write('logo.png')
    const ignoresCase = existsSync(join(dist, 'LOGO.PNG'))
    const collected = await collectFresh([output({ emitted: ['Logo.png'] })])
    expect(paths(collected)).toEqual([ignoresCase ? 'Logo.png' : 'logo.png'])
  })
})

describe("a server's folder or file inside", () => {
  it('is skipped', async () => {
    await write('index.html')
    await write('server/entry.js')
    await write('server/assets/a.js')
    await write('server-side.js')
    await write('server.js')
    const collected = await collectFresh([output()], [join(dist, 'server'), join(dist, 'server.js')])
    expect(paths(collected)).toEqual(['index.html', 'server-side.js'])
  })

  it('has no effect if it is the output folder itself, or elsewhere', async () => {
    await write('index.html')
    expect(paths(await collectFresh([output()], [dist, join(root, 'server')]))).toEqual(['index.html'])
  })
})

describe.skipIf(onWindows)('links (not on Windows, where users may not make them)', () => {
  it('that lead out of the folder are left out', async () => {
    await write('secret.txt', 'secret', root)
    await write('more/secret.txt', 'secret', root)
    await write('app.js')
    await symlink(join(root, 'secret.txt'), join(dist, 'file.txt'))
    await symlink(join(root, 'more'), join(dist, 'folder'))
    await symlink('../secret.txt', join(dist, 'relative.txt'))
    const collected = await collectFresh()
    expect(paths(collected)).toEqual(['app.js'])
    expect(left(collected).sort()).toEqual([
      'file.txt: link that is not followed',
      'folder: link that is not followed',
      'relative.txt: link that is not followed',
    ])
  })

  it.runIf(process.platform === 'linux')('and files whose names are not UTF-8 are left out', async () => {
    const inFolder = (name: string) => Buffer.concat([Buffer.from(`${dist}/`), Buffer.from(name, 'latin1')])
    await write('app.js')
    await write('\uFFFD.txt')
    await writeFile(inFolder('caf\xe9.txt'), 'x')
    await mkdir(inFolder('caf\xe9'))
    await writeFile(inFolder('caf\xe9/a.txt'), 'x')
    const collected = await collectFresh()
    expect(paths(collected)).toEqual(['app.js', '\uFFFD.txt'])
    expect(left(collected)).toEqual(['caf\uFFFD.txt: name that is not UTF-8', 'caf\uFFFD/: name that is not UTF-8'])
  })

  it('to a sibling folder with the same prefix lead out', async () => {
    await write('secret.txt', 'secret', join(root, 'dist-private'))
    await symlink(join(root, 'dist-private/secret.txt'), join(dist, 'file.txt'))
    expect(left(await collectFresh())).toEqual(['file.txt: link that is not followed'])
  })

  it('to a file inside are collected as files', async () => {
    await write('app-1.2.3.js')
    await symlink('app-1.2.3.js', join(dist, 'app-latest.js'))
    expect(paths(await collectFresh())).toEqual(['app-1.2.3.js', 'app-latest.js'])
  })

  it('have the path of the file to which they lead', async () => {
    await write('.env')
    await write('keys/id_rsa', pem('OPENSSH PRIVATE KEY'))
    await symlink('../.env', join(dist, 'keys/config.txt'))
    await symlink('keys/config.txt', join(dist, 'again.txt'))
    await symlink('keys/id_rsa', join(dist, 'notes.txt'))
    const { files } = await collectFresh()
    expect(files.map(({ path, target, kind }) => [path, target, kind])).toEqual([
      ['.env', undefined, undefined],
      ['again.txt', '.env', undefined],
      ['keys/config.txt', '.env', undefined],
      ['keys/id_rsa', undefined, 'private key'],
      ['notes.txt', 'keys/id_rsa', 'private key'],
    ])
  })

  it('to a missing file are left out', async () => {
    await write('app.js')
    await symlink('missing.js', join(dist, 'gone.js'))
    const collected = await collectFresh()
    expect(paths(collected)).toEqual(['app.js'])
    expect(collected.leftOut.map(({ path }) => path)).toEqual(['gone.js'])
  })

  it('to a folder inside are listed as left out', async () => {
    await write('v1/app.js')
    await symlink('v1', join(dist, 'latest'))
    const collected = await collectFresh()
    expect(paths(collected)).toContain('v1/app.js')
    expect([...paths(collected), ...collected.leftOut.map(({ path }) => path)].join()).toContain('latest')
  })

  it('in a circle are left out', async () => {
    await write('a/app.js')
    await symlink('..', join(dist, 'a/up'))
    await symlink('self', join(dist, 'self'))
    expect(paths(await collectFresh())).toEqual(['a/app.js'])
  })

  it('through links outside are collected if they end inside, and left out if they end outside', async () => {
    await write('app.js')
    await write('secret.txt', 'secret', root)
    await symlink(dist, join(root, 'back'))
    await symlink(join(root, 'back/app.js'), join(dist, 'in.js'))
    await symlink('hop.txt', join(dist, 'out.txt'))
    await symlink('../secret.txt', join(dist, 'hop.txt'))
    const collected = await collectFresh()
    expect(paths(collected)).toEqual(['app.js', 'in.js'])
    expect(left(collected)).toEqual(['hop.txt: link that is not followed', 'out.txt: link that is not followed'])
  })

  it('in a circle through folders outside are left out', async () => {
    await write('app.js')
    await mkdir(join(root, 'outside'))
    await symlink(dist, join(root, 'outside/dist'))
    await symlink(join(root, 'outside'), join(dist, 'outside'))
    const collected = await collectFresh()
    expect(paths(collected)).toEqual(['app.js'])
    expect(left(collected)).toEqual(['outside: link that is not followed'])
  })

  it("into a server's folder or another output are left out", async () => {
    await write('server/secret.js')
    await write('admin/app.js')
    await write('servers.js')
    await symlink('server/secret.js', join(dist, 'a.js'))
    await symlink('admin/app.js', join(dist, 'b.js'))
    await symlink('servers.js', join(dist, 'c.js'))
    const outputs = [output(), output({ dir: join(dist, 'admin') })]
    const collected = await collectFresh(outputs, [join(dist, 'server')])
    expect(paths(collected)).toEqual(['app.js', 'c.js', 'servers.js'])
    expect(left(collected)).toEqual(['a.js: link that is not followed', 'b.js: link that is not followed'])
  })

  it('in an output inside another are judged by that output', async () => {
    await write('legacy/app.js')
    await symlink('app.js', join(dist, 'legacy/link.js'))
    expect(paths(await collectFresh([output(), output({ dir: join(dist, 'legacy') })]))).toEqual(['app.js', 'link.js'])
  })

  it('of an earlier build are left over, as files are', async () => {
    await write('app.js')
    await symlink('app.js', join(dist, 'link.js'))
    const before = await takeSnapshots([dist])
    expect(left(await collect([output()], before, []))).toEqual([
      'app.js: left over from an earlier build',
      'link.js: left over from an earlier build',
    ])
  })

  it('the output folder may be a link', async () => {
    await write('app.js')
    await symlink(dist, join(root, 'link'))
    expect(paths(await collectFresh([output({ dir: join(root, 'link') })]))).toEqual(['app.js'])
  })
})
