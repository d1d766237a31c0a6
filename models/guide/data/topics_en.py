"""Words for questions that the guide cannot answer, in English."""
NOUNS = tuple(x.strip() for x in (
    'gravity, electricity, magnets, atoms, molecules, oxygen, carbon, cells, dna, genes, evolution, '
    'dinosaurs, fossils, volcanoes, earthquakes, tides, hurricanes, lightning, rainbows, glaciers, '
    'deserts, eclipses, comets, galaxies, black holes, the solar system, '
    'mars, jupiter, climate change, acid rain, ecosystems, food chains, quantum mechanics, thermodynamics, '
    'calculus, trigonometry, probability, statistics, prime numbers, algebra, geometry, chemical '
    'reactions, batteries, semiconductors, lasers, nuclear power, solar panels, wind turbines, steam '
    'engines, airplanes, '
    'rockets, satellites, robots, the internet, blockchain, bitcoin, artificial intelligence, machine '
    'learning, neural networks, databases, regular expressions, python, java, javascript, rust, html, css, '
    'sql, excel, linux, docker, the stone age, ancient egypt, the greek gods, the roman empire, the middle '
    'ages, the crusades, '
    'the black death, the renaissance, the reformation, the industrial revolution, the american revolution, '
    'the civil war, napoleon\'s wars, the cold war, the second world war, the silk road, the mongol '
    'empire, the vikings, the aztecs, the ottoman empire, colonialism, democracy, elections, parliament, '
    'taxes, pensions, insurance, mortgages, stocks, bonds, '
    'exchange rates, inflation, banking, accounting, trade, tariffs, unemployment, haiku, poetry, novels, '
    'shakespeare\'s plays, theatre, opera, jazz, rock music, classical music, the piano, the violin, the '
    'guitar, painting, sculpture, photography, cinema, ballet, football, baseball, tennis, basketball, '
    'chess, go, marathon running, swimming, skiing, '
    'mountaineering, yoga, dieting, sleep, nutrition, vitamins, blood pressure, diabetes, allergies, the flu, '
    'vaccines, cancer, the heart, the lungs, the brain, bones, muscles, parenting, job interviews, a good '
    'cv, learning english, studying abroad, essay writing, weddings, moving house, cleaning, gardening, '
    'bonsai, fishing, camping, keeping cats, training dogs, goldfish, insects, '
    'butterflies, migrating birds, mushrooms, herbs, perfume, fashion, swords, castles, temples, hot springs, '
    'driving a car, bicycles, smartphones, cameras, watches, jewels, architecture, bridges, tunnels, '
    'advertising, comics, video games, astrology, magic tricks, knitting, pottery, woodwork, wine, beer, '
    'tea, cheese, fermentation, buddhism, christianity, islam, philosophy, ethics, '
    'psychology, sociology, linguistics, archaeology, world peace, gold, silver, real estate, electric cars, '
    'the moon landing, plants, trees, the ocean, the weather, time travel, dreams, memory, the eye, photos '
    'of birds, whales in the wild, penguins in antarctica, bees, honey, salt, sugar, chocolate production').
    split(','))
PEOPLE = tuple(x.strip() for x in (
    'einstein, newton, galileo, darwin, marie curie, edison, tesla, aristotle, plato, socrates, kant, '
    'nietzsche, shakespeare, goethe, tolstoy, dickens, jane austen, hemingway, mozart, bach, chopin, '
    'verdi, wagner, picasso, van gogh, monet, leonardo da vinci, michelangelo, napoleon, lincoln, '
    'washington, churchill, gandhi, mandela, '
    'cleopatra, julius caesar, alexander the great, columbus, magellan, marco polo, genghis khan, confucius, '
    'buddha, florence nightingale, anne frank, joan of arc, queen victoria, elvis presley, the beatles, '
    'charlie chaplin, hitchcock, kurosawa, oda nobunaga, basho, hokusai, natsume soseki, alan turing, ada '
    'lovelace, the president, the prime minister, the pope').split(','))
PLACES = tuple(x.strip() for x in (
    'paris, london, rome, berlin, vienna, madrid, athens, moscow, beijing, shanghai, hong kong, seoul, '
    'bangkok, singapore, new york, los angeles, hawaii, canada, the united states, mexico, brazil, peru, '
    'argentina, egypt, kenya, south africa, morocco, turkey, india, nepal, vietnam, thailand, indonesia, '
    'australia, new zealand, france, germany, italy, spain, greece, '
    'england, ireland, scotland, the netherlands, belgium, switzerland, austria, poland, hungary, sweden, '
    'norway, finland, denmark, iceland, russia, china, korea, taiwan, mongolia, kyoto, osaka, tokyo, '
    'hokkaido, okinawa, mount fuji, nara, chile, cuba, jamaica, iran, iraq, israel, jordan, croatia, '
    'malta, cyprus').split(','))
FOODS = tuple(x.strip() for x in (
    'curry, ramen, sushi, tempura, pizza, pasta, lasagna, paella, pancakes, waffles, cookies, cheesecake, '
    'pudding, ice cream, bread, soup, tomato soup, onion soup, salad, potato salad, fried rice, dumplings, '
    'roast chicken, beef stew, fish and chips, burgers, tacos, burritos, kimchi, omelettes, scrambled '
    'eggs, apple pie, chocolate cake, muffins, sandwiches, goulash, '
    'couscous, hummus, falafel, pho, pad thai, miso soup, okonomiyaki, gyoza, meatballs, lentil soup, carrot '
    'cake, banana bread').split(','))
TASKS = ('[write|write me|make|create|code] [a|some] [python|java|c|rust|javascript|shell] [program|function|'
         'script|code|class] [that sorts a list|for a calculator|to count words|that prints primes|for a game|'
         'to download files|that adds matrices|to parse json|]', '[write|compose|make] [a|an] [poem|haiku|'
         'song|essay|letter|email|speech|cover letter|report|limerick] [about spring|to my boss|for my mother|'
         'about love|on peace|for school|about rain|]',
         '[plan|make a plan for] [my week|a wedding|my holiday|a diet|my studies|a party]',
         '[find|suggest|think of] a name for [my cat|a company|my band|a baby|my blog|a cafe]',
         '[do|help me with|write] my [homework|thesis|essay|taxes|physics homework|report]',
         '[summarize|correct|translate|proofread|rewrite] [this text|this article|my essay|this letter|the '
         'following paragraph]',
         '[book|order|buy|reserve] [a flight|a pizza|a table|a ticket|a taxi|a hotel][ for me|]',
         '[play|sing] [some music|a song|the radio]',
         'wake me at seven', '[draw|paint] [a cat|a picture|me a house|a graph]',
         '[give me|i need] advice on [my career|love|money|my boss|parenting|my health]',
         '[read|predict] my [horoscope|future]', 'open [the browser|my email|a website]',
         'what should i [wear|eat|read|watch|cook|study] [today|tonight|tomorrow|]',
         'convert [10 miles to km|5 pounds to kilos|100 dollars to yen]',
         'spell [necessary|rhythm|entrepreneur]', 'what rhymes with [love|orange|moon]',
         'debug [my code|this program]')
