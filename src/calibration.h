/* The text that models are quantised with where none is given: calibration.txt, built in. */
#ifndef SRC_CALIBRATION_H
#define SRC_CALIBRATION_H

extern const char calibration_text[];

#endif
