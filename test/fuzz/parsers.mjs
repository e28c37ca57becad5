/** The parsers that stand behind the gateway: what a document means to each of them. */
import { DOMParser } from '@xmldom/xmldom';
import { parse as parseLtx } from 'ltx';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { judge, sorted } from './judge.mjs';

const XML = 'http://www.w3.org/XML/1998/namespace';
const XMLNS = 'http://www.w3.org/2000/xmlns/';

/**
 * Reads a document that ours accepted with saxes, ltx (in xmpp.js) and xmldom (in Strophe on Node).
 * @throws {Error} where one of them refuses it or reads it otherwise
 */
export function compare(document) {
  const { root, error } = judge(document);
  if (error) throw new Error(`saxes refuses what we accept: ${error.message}`, { cause: error });
  // xmldom takes two characters for line ends that are such in XML 1.1 alone.
  const even = /[\u0085\u2028]/.test(document) ? leveled : normal;
  const [ours, dom] = [root, withXmldom(document)].map((read) => JSON.stringify(even(read)));
  if (ours !== dom) throw new Error(`xmldom differs\n  saxes:  ${ours}\n  xmldom: ${dom}`);
  // ltx normalises neither line ends nor white space, and drops text behind a CDATA section: that is left out.
  const [loose, ltx] = [root, withLtx(document)].map((read) => JSON.stringify(unspaced(normal(read), document.includes('<![CDATA['))));
  if (loose !== ltx) throw new Error(`ltx differs\n  saxes: ${loose}\n  ltx:   ${ltx}`);
}

function withXmldom(document) {
  const parser = new DOMParser({
    onError(level, message) {
      if (level !== 'warning') throw new Error(`xmldom refuses what we accept: ${message}`);
    },
  });
  const read = (node) => {
    const element = { name: [node.namespaceURI ?? '', node.localName], attributes: [], text: '', children: [] };
    for (const { namespaceURI, localName, value } of node.attributes) {
      if (namespaceURI !== XMLNS) element.attributes.push([namespaceURI ?? '', localName, value]);
    }
    for (const child of node.childNodes) {
      if (child.nodeType === 1) element.children.push(read(child));
      else if (child.nodeType === 3 || child.nodeType === 4) element.text += child.data;
      else throw new Error(`xmldom reads a node of type ${child.nodeType}`);
    }
    return element;
  };
  return read(parser.parseFromString(document, 'text/xml').documentElement);
}

/** Its own resolution of namespaces knows no `xmlns=""`, so they are resolved here. */
function withLtx(document) {
  const read = ({ name, attrs, children }, around) => {
    const scope = { __proto__: around };
    for (const [key, value] of Object.entries(attrs)) {
      if (key === 'xmlns') scope[''] = value;
      else if (key.startsWith('xmlns:')) scope[key.slice(6)] = value;
    }
    const split = (qualified, bare) => {
      const colon = qualified.indexOf(':');
      return colon < 0 ? [bare, qualified] : [scope[qualified.slice(0, colon)], qualified.slice(colon + 1)];
    };
    const element = { name: split(name, scope['']), attributes: [], text: '', children: [] };
    for (const [key, value] of Object.entries(attrs)) {
      if (key !== 'xmlns' && !key.startsWith('xmlns:')) element.attributes.push([...split(key, ''), value]);
    }
    for (const child of children) {
      if (typeof child === 'string') element.text += child;
      else element.children.push(read(child, scope));
    }
    return element;
  };
  try {
    return read(parseLtx(document), { __proto__: null, '': '', xml: XML });
  } catch (error) {
    throw new Error(`ltx refuses what we accept: ${error.message}`, { cause: error });
  }
}

function normal({ name, attributes, text, children }) {
  return { name, attributes: sorted(attributes), text, children: children.map(normal) };
}

function leveled({ name, attributes, text, children }) {
  const level = (value) => value.replace(/[ \n\u0085\u2028]+/g, ' ');
  return {
    name,
    attributes: sorted(attributes).map(([uri, local, value]) => [uri, local, level(value)]),
    text: level(text),
    children: children.map(leveled),
  };
}

function unspaced({ name, attributes, text, children }, textless) {
  const space = (value) => value.replace(/[ \t\n\r]+/g, ' ');
  return {
    name,
    attributes: attributes.map(([uri, local, value]) => [uri, local, space(value)]),
    text: textless ? '' : space(text),
    children: children.map((child) => unspaced(child, textless)),
  };
}

/** expat, which Prosody, ejabberd and others read with, as a process of Python's. */
export class Expat {
  /** @param {string} python the program */
  constructor(python) {
    this.child = spawn(python, [fileURLToPath(new URL('expat.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** @returns what each document means, undefined for one that expat refuses */
  async read(documents) {
    for (const document of documents) {
      const bytes = Buffer.from(document);
      this.child.stdin.write(`${bytes.length}\n`);
      this.child.stdin.write(bytes);
    }
    const found = [];
    while (found.length < documents.length) found.push(JSON.parse((await this.lines.next()).value) ?? undefined);
    return found;
  }

  /**
   * Reads documents that ours accepted.
   * @throws {Error} where expat refuses one or reads it otherwise than saxes
   */
  async compare(documents) {
    const read = await this.read(documents);
    documents.forEach((document, i) => {
      if (!read[i]) throw new Error(`expat refuses what we accept: ${JSON.stringify(document)}`);
      const [ours, theirs] = [judge(document).root, read[i]].map((root) => JSON.stringify(normal(root)));
      if (ours !== theirs) throw new Error(`expat differs: ${JSON.stringify(document)}\n  saxes: ${ours}\n  expat: ${theirs}`);
    });
  }

  close() {
    this.child.stdin.end();
  }
}
