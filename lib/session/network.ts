/**
 * Whom the limits of one address are about: an IPv4 address, or the network of an IPv6 one. Its first 64 bits
 * are one customer's, who has as many addresses as he likes.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::', 2);
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return `${groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  if (text === '') return [];
  // The last 32 bits may be written as an IPv4 address.
  return text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
