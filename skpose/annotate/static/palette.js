// The colours of skpose.plot: Okabe and Ito's, or those of plasma, but for its darkest.

const FEW = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const PLASMA = [
  [106, 0, 168], [139, 10, 165], [170, 35, 149], [195, 61, 128], [216, 87, 107], [233, 113, 88],
  [246, 143, 68], [253, 175, 49], [251, 211, 36], [240, 249, 33],
];

export function colours(n) {
  if (n <= FEW.length) return FEW.slice(0, n);
  return Array.from({ length: n }, (_, i) => {
    const at = (i / (n - 1)) * (PLASMA.length - 1);
    const k = Math.min(Math.floor(at), PLASMA.length - 2);
    const mixed = PLASMA[k].map((value, c) => Math.round(value + (PLASMA[k + 1][c] - value) * (at - k)));
    return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  });
}
