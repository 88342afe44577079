// What the shop tells of its things; the catalogue knows title, price and stock.

const STORIES = {
  "TSHIRT-BLUE": ["Organic cotton, 210 g", "A heavy T-shirt, knitted and dyed in Porto. It shrinks once, a little, and then keeps its shape."],
  "TSHIRT-BLACK": ["Organic cotton, 210 g", "The same heavy T-shirt in a black that stays black: dyed twice, washed before it is sewn."],
  "MUG-STONE": ["Stoneware, 0.3 l", "Thrown on the wheel, dipped in sea-green glaze down to where the hand begins. Goes into the dishwasher."],
  "PRINT-HARBOUR": ["Giclée on cotton paper, 40 × 50 cm", "The harbour a quarter of an hour after the sun has gone. Numbered, signed, in an ash frame."],
  "TOTE-CANVAS": ["Canvas, 38 × 42 cm", "Twelve-ounce canvas with handles long enough for a winter coat. Printed by hand, three waves and a sun."],
  "CARDS-SET": ["Eight cards with envelopes", "Letterpress on heavy board. Few are left; the plates are worn."],
  "OIL-LIGHTHOUSE": ["Oil on canvas, 60 × 75 cm", "Painted from the rocks in two September mornings, when the wind was low. In the gilt frame that it was made for."],
  "VASE-RAKU": ["Raku, 34 cm", "Taken from the kiln glowing and buried in sawdust: the smoke drew the lines. No two come out alike."],
  "BRONZE-HERON": ["Bronze on limestone, 58 cm", "Cast once by lost wax; the mould broke as it should. The green on its back is its own."],
  "WOODCUT-FOX": ["Woodcut on washi, 30 × 40 cm", "Cut in pear wood and printed in two colours, once. Then the block was planed for the next."],
};

export const about = (sku) => STORIES[sku] ?? ["", ""];
