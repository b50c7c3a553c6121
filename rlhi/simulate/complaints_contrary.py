"""What users say who wish for the contrary of a common wish: no example, no bold, several paragraphs, exact terms."""

from rlhi.simulate.phrasings import Phrasings

CONTRARY: dict[str, Phrasings] = {
    "paragraphs": Phrasings(
        (
            "Please split this into paragraphs.",
            "Can you put line breaks in there?",
            "That's one big block of text, break it up.",
            "I'd like short paragraphs with space between them.",
            "Use several paragraphs please, this is hard on the eyes.",
            "Rewrite it in two or more paragraphs.",
            "There are no paragraph breaks in it. Add some.",
            "Please start a new line for each new point.",
        ),
        (
            "My eyes get lost in that brick of text, give it some air.",
            "Space it out a bit, will you? Everything is glued together.",
            "Hit return now and then, one lump is no fun to read.",
            "Could you chop this up into smaller paragraphs?",
        ),
    ),
    "no_example": Phrasings(
        (
            "No examples please.",
            "Please leave out the example.",
            "Can you explain it without examples?",
            "I don't need examples, only the explanation.",
            "Drop the example and get to the rule.",
            "Rewrite this without giving an example.",
            "Stop giving me examples.",
            "The examples distract me, take them out.",
        ),
        (
            "I'm after the principle itself, spare me the illustrations.",
            "Same answer minus the example, please.",
            "Examples only confuse me. Do without them.",
            "Skip the 'for example' bits and just state it.",
        ),
    ),
    "long_words": Phrasings(
        (
            "Please use the technical terms.",
            "Can you be more precise and use the proper terminology?",
            "That's too simple for me, use the correct technical terms.",
            "Don't dumb it down, I know the field.",
            "Rewrite it with the exact scientific terms.",
            "I'm a professional, use professional vocabulary.",
            "Too basic. Say it the way an expert would.",
            "Give me the technical version with the right terms.",
        ),
        (
            "I studied this, so talk to me like a colleague and name things by their proper terms.",
            "You're talking down to me. Use the specialist vocabulary.",
            "This reads like a children's book, I can take the real terminology.",
            "Where's the jargon? I want it in the language of the field.",
        ),
    ),
    "no_question": Phrasings(
        (
            "Please don't end with a question.",
            "Stop asking me questions at the end.",
            "Can you leave out the closing question?",
            "No questions back please, just the answer.",
            "Drop the question at the end.",
            "Rewrite it without a question at the end.",
            "I asked you, so don't ask me anything back.",
            "You ended with a question again. Don't.",
        ),
        (
            "I'm the one asking here, so finish on a statement.",
            "Lose that final question, it's pushy.",
            "No need to quiz me when you're done.",
            "Just stop once you've answered instead of asking me something.",
        ),
    ),
    "no_bold": Phrasings(
        (
            "Please don't use bold.",
            "No bold words in it please.",
            "Can you write that without the asterisks?",
            "Plain text only, no bold.",
            "Remove the bold formatting.",
            "I don't want anything in bold.",
            "The bold words distract me, leave them plain.",
            "Rewrite this without **bold** words.",
        ),
        (
            "Those stars around the words show up as junk on my side, drop them.",
            "Nothing needs to be highlighted, write it all in normal type.",
            "Heavy type makes me feel yelled at, so no emphasis please.",
            "Can you unbold everything?",
        ),
    ),
    "digits": Phrasings(
        (
            "Please write numbers as digits.",
            "Can you use digits, like 3 and not three?",
            "Use numerals for the numbers.",
            "Give me actual figures in it.",
            "Rewrite it with numerals.",
            "I want to see numbers in there, written as digits.",
            "There's not a single number in it. Add figures.",
            "Put the amounts in digits please.",
        ),
        (
            "Be exact and put some hard numbers on it.",
            "I scan for figures, so write 10 instead of ten and include a few.",
            "How much, how many, how long? Give numbers.",
            "Digits are quicker to read than words for numbers, use those.",
        ),
    ),
    "commas": Phrasings(
        (
            "Please use commas.",
            "Can you put the commas in where they belong?",
            "The commas are missing.",
            "You forgot the commas, add them.",
            "It's hard to read without commas. Use some.",
            "Rewrite this with proper commas.",
            "There's no comma in it at all, please punctuate properly.",
            "I need commas to follow a sentence like that.",
        ),
        (
            "Where did all the commas go? Put them back.",
            "Your sentences run on, a comma here and there would help.",
            "Mind your punctuation, it lacks commas.",
            "Did your comma key break? I'd like to see a few.",
        ),
    ),
    "capitals": Phrasings(
        (
            "Please use capital letters where they belong.",
            "Can you start sentences with a capital letter?",
            "Use normal capitalisation please.",
            "Capitalise properly, this looks sloppy.",
            "You forgot the capital letters.",
            "Rewrite it with proper capitals.",
            "Don't write everything in lowercase.",
            "There are no capitals in it, add them.",
        ),
        (
            "Why is it all lowercase? Write names and sentence starts properly.",
            "Your shift key exists, use it at the start of sentences.",
            "All small letters looks lazy, go back to regular capitalization.",
            "Sentences begin with an uppercase letter, please fix that.",
        ),
    ),
    "no_summary": Phrasings(
        (
            "Please don't start with a summary.",
            "Skip the summary at the top.",
            "Can you leave out the opening summary?",
            "No summary first, go through it from the beginning.",
            "Don't give away the conclusion at the start.",
            "Rewrite it without the one-line summary up front.",
            "I don't need a summary before the explanation.",
            "Keep the conclusion for the end, not the beginning.",
        ),
        (
            "Build up to it and let the conclusion come last.",
            "That one-liner at the top spoils it, drop it.",
            "Don't lead with the gist, take me through it step after step.",
            "Start with the details, the verdict can wait.",
        ),
    ),
}
