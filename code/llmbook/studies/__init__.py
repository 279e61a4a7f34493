"""Comparisons that take longer than a lab: run once, stored, and read by the labs.

``stored``          rows in a JSON file; a run that was cut off goes on where it stopped
``language_model``  bytes of Wikipedia, a training loop, bits per byte
``norm_order``      norm after or before: by depth, learning rate and warm-up (chapter 5)
``block_ladder``    from the GPT-2 block to the modern one, one change at a time (chapter 5)
``lengths``         reversing strings longer than any in training (chapter 5)
``settings``        batch, learning rate and warm-up of a small GPT (chapter 6)
``plateau``         where a small masked model stands still, by positions and optimizer (chapter 6)
``scaling``         loss against size and data, with one run kept apart (chapter 6)
``labels``          what pretraining is worth with 100, 500 and 2,000 labels (chapter 7)
``classification``  three classifiers and their calibration, 500 labels (chapter 8)
``summaries``       what a writer of first lines owes to each of its parts (chapter 8)
``phenomena``       translating combinations that were held out (chapter 8)
``names``           translating names, by amount of data and by token (chapter 8)
``readers``         a reader of questions in two wordings, five seeds (chapter 8)
``prefix``          a refusal, the ways around it, and the repairs (chapter 9)
``preferences``     shorter answers by direct preference optimization (chapter 9)
``dual_use``        weights, gradient surgery and information against an exact front (chapter 9)
``telling_apart``   gradient conflict while an assistant learns what to refuse (chapter 9)
``efficiency``      a smaller MiniLM: layers, bits, weights, students (chapter 9)
``encodings``       safety training in some of six encodings of one fact (chapter 10)
``domains``         trained in one package, tested in another (chapter 10)
``associations``    associations with names and terms, repairs, and decisions (chapter 11)
``memorization``    secrets in a training text, and two protections (chapter 11)
``shortcuts``       shortcuts of classifiers, their repair, what the repair creates (chapter 10)
``search``          grid, random search and TPE at equal budgets (chapter 13)

``python -m llmbook.studies.norm_order`` makes its results again, and so on. Not here: what a lab
can run itself.
"""
