"""Sentences that say nothing anyone asks for: what stands between the facts.

{c} colour, {n} animal, {d} day, {m} month, {t} town, {w} a made-up word, {k} a number. None tells of a named entity.
"""

from __future__ import annotations

import random
from typing import Final

from worlds.vocabulary import ANIMALS, COLOURS, DAYS, MONTHS, TOWNS, WORDS

FILLERS: Final = """
The {c} {n} was left near the gate.
Rain fell on {d} and the {n} stayed indoors.
Nobody could say why the {c} paint had faded.
The clerk made tea and waited for {d}.
A {n} was seen on the road.
The session began late, as it often did on {d}.
Work on the {c} fence went on.
It was a quiet {d} in {m}.
Prices did not change in {m}.
The lamps were lit before supper.
Two guards talked about a {n}.
The old {c} ledger was put back on its shelf.
The wind turned to the north after dark.
A window had been left open all night.
The harbour bell rang {k} times by mistake.
Someone had drawn a {n} in the margin.
The stove smoked until {d}.
No one had swept the stairs since {m}.
A cart with a broken wheel blocked the lane.
The road to {t} was muddy again.
Travellers from {t} complained about the inn.
The bridge was closed for {k} minutes.
Fog lay over the water until noon.
The {c} curtains were taken down and washed.
Everybody agreed that {m} had been too warm.
A child asked why the {n} had no name.
The ink had dried and a new bottle was opened.
The wall behind the {c} door is damp.
The last page of this book is missing.
A draft of this text was burnt by accident.
The scribe was paid and went home early.
Nothing further was said about the {n}.
The matter was put off until {d}.
The chairs were carried back into the hall.
A dog barked through most of the reading.
The floor had just been waxed.
In {m} the days grow short.
The baker was late again on {d}.
The clock in the hall was {k} minutes slow.
The {c} ribbon was used to mark the place.
A strong smell of tar came from the yard.
The gulls were louder than the speaker.
There was no wind, and the flags hung down.
A {n} had slept in the boat shed.
The key to the archive was found under a stone.
Three pages were copied twice by mistake.
The following was written in a different hand.
A spoon was missing from the kitchen.
The gate creaks and should be oiled.
Snow was expected, but none fell.
The old map hangs upside down.
Some of the figures below were smudged.
The gardener spoke of little but his {n}.
Moths have eaten the {c} blanket.
The usual toast was drunk.
A visitor left a {c} umbrella behind.
The lock was changed in {m}.
The candle burned down before the end.
A second copy is kept in a dry place.
The tide was higher than anyone remembered.
This entry was corrected on {d}.
The ferry did not run because of the storm.
The word {w} was crossed out and written again.
Nobody knew what {w} meant.
A song about a {n} was sung at the end.
The roof of the boat shed leaks.
The benches were painted {c} last {m}.
A bucket stood under the worst of the drips.
The post came twice on {d}.
The seal was broken when the parcel arrived.
A broom leaned against the {c} wall.
The apprentice spilled the glue.
One shelf was empty and nobody asked why.
The cat from next door slept on the papers.
The quay was slippery in the morning.
The evening ended with a game of cards.
Many had colds, and the hall was half empty.
The new carpet is {c}, which few people like.
A loose board was nailed down.
The weather vane points the wrong way.
All of this was told to us by a sailor.
The chimney was swept in {m}.
Somebody whistled the same tune all day.
The bucket and the mop were returned.
The print is small and hard to read.
A storm broke the {c} shutters.
The nearest well has been dry since {m}.
The {n} on the sign has lost its tail.
The stamp was put on upside down.
Flour was short in the whole district.
A letter without a name was thrown away.
The door sticks when it rains.
The cook burned the first batch.
There were {k} steps up to the tower.
An old rule about hats was read aloud.
The boys had hidden a {n} in the cellar.
The attic is full of empty bottles.
This page was found between two others.
The young trees along the canal did well.
The bell rope was replaced on {d}.
Two barrels leaked and were rolled outside.
The notice had come off the board.
A rumour went round and was soon forgotten.
The rest of the afternoon was spent on repairs.
A barge lay across the channel for {k} hours.
The sun came out for a short while.
They spoke for a long time about drains.
Nobody wanted to sit near the {c} stove.
The glass in the lantern was cracked.
The watchman had seen nothing unusual.
Most of the hay was in by {m}.
The ice on the pond held until {d}.
It is said that a {n} brings good luck.
The paper for these pages came from {t}.
The choir practised in the next room.
It took {k} minutes to find the right form.
The handle of the pump is loose.
A pot of {c} dye was spilled on the step.
The orchard had been pruned too hard.
The youngest clerk was sent for more coal.
The archive smells of mice.
People still talk of the flood.
The path behind the mill is overgrown.
The accounts were closed at noon on {d}.
A small fire in the shed was put out at once.
The tailor had no {c} thread left.
The blinds were drawn against the sun.
Several words in this line cannot be read.
The old anchor in the square has rusted through.
A stray {n} followed the procession.
The drummer was asked to stop.
The well cover was put back in place.
The summer fair was moved to {m}.
A crow had built its nest in the gutter.
The oldest member fell asleep.
The benches by the canal were taken in for the winter.
The lid of the chest would not close.
Somebody had sharpened all the pencils.
The list was checked against the old one.
The market stalls were wet through.
A bottle with a message turned out to be a joke.
The stairs to the loft are not safe.
The walk along the dike took {k} minutes.
The road mender asked for more gravel.
The mill stood still for want of water.
A {c} flag was hoisted for no known reason.
The margin holds a drawing of a {n}.
Every lamp in the street had gone out.
The dust on the files was thick.
Nothing else happened on that {d}.
The next pages deal with other things.
The fishing was poor in {m}.
""".strip().split("\n")


def filler(r: random.Random) -> str:
    """One such sentence."""
    template = r.choice(FILLERS)
    if "{" not in template:
        return template
    return template.format(
        c=r.choice(COLOURS),
        n=r.choice(ANIMALS),
        d=r.choice(DAYS),
        m=r.choice(MONTHS),
        t=r.choice(TOWNS),
        w=r.choice(WORDS),
        k=r.randint(2, 59),
    )
