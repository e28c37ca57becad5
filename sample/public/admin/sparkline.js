const SVG = 'http://www.w3.org/2000/svg';
const SAMPLES = 60;

/** The last values of something, drawn as a line. */
export class Sparkline {
  #values = [];
  #area = document.createElementNS(SVG, 'path');
  #line = document.createElementNS(SVG, 'path');
  #svg = document.createElementNS(SVG, 'svg');

  /**
   * @param {HTMLElement} host
   * @param {(value: number) => string} describe for those who do not see it
   */
  constructor(host, describe) {
    this.describe = describe;
    this.#svg.setAttribute('viewBox', `0 0 ${SAMPLES - 1} 20`);
    this.#svg.setAttribute('preserveAspectRatio', 'none');
    this.#svg.setAttribute('role', 'img');
    this.#area.setAttribute('class', 'area');
    this.#line.setAttribute('class', 'line');
    this.#svg.append(this.#area, this.#line);
    host.replaceChildren(this.#svg);
  }

  /** @param {number} value */
  push(value) {
    this.#values.push(value);
    if (this.#values.length > SAMPLES) this.#values.shift();
    this.#draw();
  }

  #draw() {
    const values = this.#values;
    const most = Math.max(...values);
    const left = SAMPLES - values.length;
    const points = values.map((value, i) => `${left + i} ${(18 - (most > 0 ? value / most : 0) * 15).toFixed(2)}`);
    if (values.length === 1) points.push(points[0]);
    this.#line.setAttribute('d', `M${points.join('L')}`);
    this.#area.setAttribute('d', `M${left} 20L${points.join('L')}L${SAMPLES - 1} 20Z`);
    this.#svg.setAttribute('aria-label', `now ${this.describe(values.at(-1))}, at most ${this.describe(most)} of late`);
  }
}
